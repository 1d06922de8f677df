import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parse } from "yaml";

/** One alert as the chart has it. */
interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}

/** The chart's rule file. */
export const alertsFile = resolve(import.meta.dirname, "../../charts/serin/files/alerts.yaml");

const { groups } = parse(readFileSync(alertsFile, "utf8")) as { groups: { rules: AlertRule[] }[] };

/** Every alert in it. */
export const alertRules: readonly AlertRule[] = groups.flatMap(({ rules }) => rules);
