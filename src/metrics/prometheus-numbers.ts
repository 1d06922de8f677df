const infinities: Record<string, number> = { "+Inf": Infinity, Inf: Infinity, "-Inf": -Infinity };

/** A number as Prometheus writes it in JSON; NaN for NaN and for what is none. */
export function numberIn(text: string): number {
  return infinities[text] ?? Number(text);
}
