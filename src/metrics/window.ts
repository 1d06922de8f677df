/**
 * How far a query may look back: the metric's interval, but never to before this revision's first traffic, so that errors
 * of an earlier revision cannot count. In whole seconds, as PromQL's ranges are written here.
 *
 * `rate` and `increase` need two samples inside the window, so a window that starts at the first traffic waits for two
 * scrapes by itself: until then the query has no data.
 * @param intervalMs below a second counts as one
 * @param sinceMs when this revision first got traffic; `undefined` before that
 * @returns milliseconds, a multiple of 1000; `undefined` while there is less than a second to look at
 */
export function windowMs(intervalMs: number, sinceMs: number | undefined, nowMs: number): number | undefined {
  if (sinceMs === undefined) return undefined;
  const seconds = Math.floor(Math.min(Math.max(intervalMs, 1_000), nowMs - sinceMs) / 1_000);
  return seconds >= 1 ? seconds * 1_000 : undefined;
}

/** The window as `{{ interval }}` says it, e.g. `60s`. */
export function formatWindow(durationMs: number): string {
  return `${Math.max(1, Math.round(durationMs / 1_000))}s`;
}
