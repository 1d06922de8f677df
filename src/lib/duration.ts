const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** The durations that Kubernetes manifests use, e.g. `30s`, `1m30s`, `1.5h`. RE2 compatible, so that a CRD can hold it. */
export const durationPattern = /^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$/;

/** Milliseconds in a Go duration such as `1m30s`. Throws on anything that does not match {@link durationPattern}. */
export function parseDurationMs(text: string): number {
  if (!durationPattern.test(text)) throw new Error(`"${text}" is not a duration; write it like 30s, 1m30s or 1h`);
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)/g)) totalMs += Number(amount) * (unitMs[unit ?? ""] ?? 0);
  return totalMs;
}
