import { dashboardJson } from "../../hack/dashboard.ts";

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number };
  readonly targets?: readonly { readonly expr: string }[];
}

/** Every panel of the dashboard. */
export const panels = (JSON.parse(dashboardJson()) as { panels: Panel[] }).panels;

/** Every query of the dashboard as Grafana sends it. */
export const dashboardQueries = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => ({ title, query: expr.replaceAll("$__rate_interval", "1m").replaceAll("$namespace", ".*") })),
);
