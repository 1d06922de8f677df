import { sparkline } from "../lib/sparkline.ts";
import type { ShareEvidence, ShareStep } from "./share-evidence.ts";

type Shown = Pick<ShareEvidence, "steps" | "limit" | "against" | "slowerThanMilliseconds">;
type Both = Pick<ShareStep, "canary" | "stable">;

/**
 * The steps of a rollout as rows of text, the first one the head. How slow requests were is shown unless errors decided: it is part
 * of why a release was let through or was not.
 */
export function shareTable(evidence: Shown): string[][] {
  const withSlow = showsSlow(evidence);
  const head = ["weight", "from", "canary's requests", "primary's", ...(withSlow ? ["canary's slow", "primary's slow"] : []), "evidence"];
  const rows = evidence.steps.map((step) => [
    `${step.weight} %`,
    toTheSecond(step.from),
    ...sides(step).map(({ requests, bad }) => `${Math.round(requests)}, ${Math.round(bad)} failed`),
    ...(withSlow ? slowCells(step) : []),
    evidenceCell(step, evidence.limit),
  ]);
  return [head, ...rows];
}

/** What the table's slow requests are, without a full stop; `undefined`: it has none. */
export function slowMeaning(evidence: Shown): string | undefined {
  if (!showsSlow(evidence)) return undefined;
  return `slow are requests that took longer than ${evidence.slowerThanMilliseconds} ms, counted once the warm-up is over`;
}

/** A time as people read it, RFC 3339 without fractions of a second. */
export function toTheSecond(time: string): string {
  return time.replace(/\.\d+Z$/, "Z");
}

/** Evidence is counted no further than to 1e9. */
export function evidenceText(value: number): string {
  return value >= 1e9 ? "1e9 or more" : String(value);
}

/** The evidence of all steps as bars. */
export function evidenceLine({ steps, limit }: Shown): string {
  return sparkline(steps.map((step) => (hasPeak(step, limit) ? step.peak : step.evidence)), limit);
}

/** All slow requests of both versions, as the evidence counts them. */
export function slowSum({ steps }: Shown): Both {
  const sum = { canary: { requests: 0, bad: 0 }, stable: { requests: 0, bad: 0 } };
  for (const { slow } of steps) {
    for (const side of ["canary", "stable"] as const) {
      sum[side].requests += slow?.[side].requests ?? 0;
      sum[side].bad += slow?.[side].bad ?? 0;
    }
  }
  return sum;
}

function showsSlow({ steps, against, slowerThanMilliseconds }: Shown): boolean {
  const mayMatter = against === undefined || against === "latency";
  return mayMatter && slowerThanMilliseconds !== undefined && steps.some(({ slow }) => slow !== undefined);
}

function sides({ canary, stable }: Both): Both["canary"][] {
  return [canary, stable];
}

function slowCells({ slow }: ShareStep): string[] {
  return slow ? sides(slow).map(({ requests, bad }) => `${Math.round(bad)} of ${Math.round(requests)}`) : ["–", "–"];
}

function evidenceCell(step: ShareStep, limit: number): string {
  const atEnd = evidenceText(step.evidence);
  return hasPeak(step, limit) ? `${atEnd} (highest ${evidenceText(step.peak)})` : atEnd;
}

/** Whether the evidence was reason to wait, or more, and is less by the end of the step: nothing else explains what was decided. */
function hasPeak(step: ShareStep, limit: number): step is ShareStep & { readonly peak: number } {
  return step.peak !== undefined && step.peak > step.evidence && step.peak >= Math.sqrt(limit);
}
