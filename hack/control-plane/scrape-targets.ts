import { rename, writeFile } from "node:fs/promises";
import type { KubeObject } from "../../src/api/object.ts";
import type { Informer } from "../../src/kube/kube.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { messageOf } from "../../src/lib/errors.ts";
import type { Logger } from "../../src/lib/log.ts";
import { type Pod, pod } from "../../src/sandbox/kinds.ts";

/** One group of targets, as Prometheus reads it from a file. */
interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

const portNames = ["http", "metrics", "http-metrics"];

/**
 * The pods that Prometheus scrapes: those that ask for it by the annotations `prometheus.io/scrape`, `-port` and `-path`, and
 * Serin's own, which a PodMonitor of its chart would name.
 */
export function scrapeTargets(objects: readonly KubeObject[]): TargetGroup[] {
  return objects
    .map((object) => pod.safeParse(object))
    .flatMap((parsed) => (parsed.success ? [parsed.data] : []))
    .flatMap(targetOf)
    .sort((a, b) => (String(a.targets) < String(b.targets) ? -1 : 1));
}

function targetOf(scraped: Pod): TargetGroup[] {
  const { metadata: { annotations = {}, namespace = "", name }, status } = scraped;
  const port = asksForIt(scraped) ? (annotations["prometheus.io/port"] ?? namedPort(scraped)) : undefined;
  if (port === undefined || status.podIP === undefined || status.phase !== "Running") return [];
  const path = annotations["prometheus.io/path"] ?? "/metrics";
  return [{ targets: [`${status.podIP}:${port}`], labels: { __metrics_path__: path, namespace, pod: name } }];
}

function asksForIt({ metadata: { annotations, labels } }: Pod): boolean {
  return annotations?.["prometheus.io/scrape"] === "true" || labels?.["app.kubernetes.io/name"] === "serin";
}

function namedPort({ spec }: Pod): number | undefined {
  return spec.containers.flatMap(({ ports }) => ports).find(({ name = "" }) => portNames.includes(name))?.containerPort;
}

const gatherMs = 200;

/** Keeps the file with the targets current until the signal aborts. */
export function followScrapeTargets(options: {
  readonly informer: Informer;
  readonly file: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): void {
  const { informer, file, clock, log, signal } = options;
  let [due, written] = [false, ""];
  const write = async (): Promise<void> => {
    await clock.sleep(gatherMs, signal);
    due = false;
    const text = JSON.stringify(scrapeTargets(informer.list()));
    if (text === written) return;
    // Prometheus watches the file: it must never see half of it.
    await writeFile(`${file}.new`, text);
    await rename(`${file}.new`, file);
    written = text;
  };
  informer.onChange(() => {
    if (due) return;
    due = true;
    write().catch((error: unknown) => log.warn({ error: messageOf(error) }, "scrape targets not written"));
  });
}
