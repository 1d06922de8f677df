import { expect, test } from "vitest";
import { random } from "../lib/random.ts";
import { addComparison, type Comparison, logEvidenceOf, newStream, restart, type Stream } from "./stream.ts";

type Event = Comparison | "step";

const tolerance = { ratio: 1.25, absolute: 1e-4, dispersion: 1.7 };
/** Rounding of sums of a hundred logarithms. */
const dust = 1e-9;

function after(events: readonly Event[]): Stream {
  const stream = newStream();
  for (const event of events) {
    if (event === "step") restart(stream);
    else addComparison(stream, event, tolerance);
  }
  return stream;
}

/** A rollout of up to thirty scrapes and some steps, with any traffic, any weight and any errors. */
function aRollout(seed: number): Event[] {
  const chance = random(seed, 0);
  const side = () => {
    const requests = chance.uniform() < 0.1 ? 0 : Math.floor(10 ** (chance.uniform() * 5));
    return { requests, bad: Math.floor(requests * chance.uniform() ** 6) };
  };
  const length = 5 + Math.floor(chance.uniform() * 25);
  return Array.from({ length }, () => (chance.uniform() < 0.2 ? "step" : { canary: side(), stable: side() }));
}

const withOne = (tally: Comparison["canary"]): Comparison["canary"] => ({ ...tally, bad: Math.min(tally.bad + 1, tally.requests) });

test.each(Array.from({ length: 100 }, (_, seed) => seed + 1))("whatever a rollout has seen (seed %i)", (seed) => {
  const rollout = aRollout(seed);
  const before = logEvidenceOf(after(rollout));
  for (const [at, event] of rollout.entries()) {
    if (event === "step") continue;
    const { canary, stable } = event;
    const evidence = (...instead: readonly Event[]) => logEvidenceOf(after(rollout.toSpliced(at, 1, ...instead)));
    // One more error of the canary never speaks for it, one more of stable's never against it.
    expect(evidence({ canary: withOne(canary), stable })).toBeGreaterThanOrEqual(before - dust);
    expect(evidence({ canary, stable: withOne(stable) })).toBeLessThanOrEqual(before + dust);
    // A scrape in which one side had no request changes nothing.
    const nothing = { requests: 0, bad: 0 };
    expect(evidence(event, { canary: nothing, stable }, { canary, stable: nothing })).toBe(before);
    // A scrape may be cut in two of the same share.
    const double = (tally: Comparison["canary"]) => ({ requests: 2 * tally.requests, bad: 2 * tally.bad });
    const inOne = { canary: double(canary), stable: double(stable) };
    expect(evidence(event, event)).toBeCloseTo(evidence(inOne), 6);
  }
});
