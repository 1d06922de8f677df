import { type Side, type Source, sourceNames, sources } from "../../analysis/sources.ts";
import type { Matcher, RawSeries, Selector } from "../../lib/series.ts";

const whole = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?$/s;
const part = /^\s*([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*$/;

/** Labels that a series must have. */
export type Labels = Readonly<Record<string, string>>;

/** Reads `metric{label="value", …}`. Throws an error that says what cannot be read. */
export function parseSelector(text: string): Selector {
  const [, metric, inner = ""] = whole.exec(text.trim()) ?? [];
  if (metric === undefined) throw new Error(`${JSON.stringify(text)} selects no series; write metric{label="value"}`);
  const matchers = Object.entries(parseLabels(inner)).map(([label, value]): Matcher => ({ label, oneOf: [value] }));
  return { metric, matchers };
}

/** Reads `label="value", …`; none of it is an empty set. Throws an error that says what cannot be read. */
export function parseLabels(text: string): Labels {
  const parts = text.match(/(?:[^",]|"(?:[^"\\]|\\.)*")+/g) ?? [];
  return Object.fromEntries(
    parts
      .filter((each) => each.trim() !== "")
      .map((each): [string, string] => {
        const [, label = "", value = ""] = part.exec(each) ?? [];
        if (label === "") throw new Error(`${JSON.stringify(each.trim())} is no label; write label="value"`);
        return [label, value.replaceAll(/\\(.)/g, "$1")];
      }),
  );
}

/** What is replayed: which series, and which of them are the canary's. */
export interface Replayed {
  readonly requests: Selector;
  /** Classic buckets, or a native histogram. */
  readonly latency?: Selector | undefined;
  /** Milliseconds in one unit of its bounds. */
  readonly unitMs: number;
  /** Labels of the canary's series and of stable's; missing: all series are one service's. */
  readonly sides?: { readonly canary: Labels; readonly stable: Labels } | undefined;
}

/** These series as a source: the failed ones are told by whatever label holds the status code. */
export function sourceOf({ requests, latency, unitMs, sides }: Replayed): Source {
  return {
    requests: () => [requests],
    latency: () => (latency ? [latency] : []),
    alive: () => [],
    unitMs,
    side: (labels) => (sides ? sideOf(labels, sides) : "stable"),
    isBad: (labels) => sourceNames.map((name) => sources[name].isBad(labels)).find((bad) => bad !== undefined),
    pod: () => undefined,
  };
}

function sideOf(labels: RawSeries["labels"], { canary, stable }: NonNullable<Replayed["sides"]>): Side | undefined {
  const has = (wanted: Labels): boolean => Object.entries(wanted).every(([label, value]) => labels[label] === value);
  if (has(canary)) return "canary";
  return has(stable) ? "stable" : undefined;
}
