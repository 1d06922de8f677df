const bars = "▁▂▃▄▅▆▇█";

/**
 * Evidence as a row of bars, one for each value, on a logarithmic scale around 1: the highest bar is the limit or more, the middle
 * says nothing, the lowest is as strong the other way.
 */
export function sparkline(values: readonly number[], limit: number): string {
  const widest = Math.log(limit);
  return values.map((value) => bars[barOf(Math.log(value) / widest)] ?? "").join("");
}

/** From −1, the lowest bar, to 1. */
function barOf(part: number): number {
  if (part >= 1) return bars.length - 1;
  return Math.max(0, Math.floor(((part + 1) / 2) * (bars.length - 1)));
}
