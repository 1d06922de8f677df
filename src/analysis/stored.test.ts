import { expect, test } from "vitest";
import { defaultRules } from "../../test/builders.ts";
import { startReading } from "./reading.ts";
import { observeScrape, startRun, takeStep } from "./run.ts";
import { restore, store, type Stored } from "./stored.ts";

const tally = (requests: number, bad: number) => ({ requests, bad });

/** A rollout of twenty scrapes over seven steps, stored and read back after each when `restarts`. */
function rollout(restarts: boolean) {
  const past = { tally: tally(360_000, 377), dispersion: 1.3, measured: true };
  const reading = { ...startReading(0), through: { "envoy/10.0.0.1:8002/": 15_000.5 } };
  let stored: Stored = { run: startRun({ past, boundsMs: [100, 250, 500], weight: 5, atMs: 0 }), reading, source: "contour" };
  for (let at = 1; at <= 20; at++) {
    const errors = { canary: tally(70 + at, at % 3), stable: tally(1_330 + at, at % 2) };
    const side = (requests: number, rate: number) => tally(requests, Math.round(requests * rate));
    const slow = [0.31, 0.11, 0.013].map((rate) => ({ canary: side(70, rate), stable: side(1_330, rate) }));
    observeScrape(stored.run, { fromMs: (at - 1) * 15_000, atMs: at * 15_000, errors, slow, weight: 5 }, defaultRules);
    if (at % 3 === 0) takeStep(stored.run, { weight: 5 + at, atMs: at * 15_000 });
    if (restarts) stored = restore(store(stored))!;
  }
  return stored;
}

test("a restart after every scrape changes not one number", () => {
  expect(rollout(true)).toEqual(rollout(false));
});

test("it fits into a status", () => {
  expect(store(rollout(false)).length).toBeLessThan(8_192);
});

test("a fresh one can be stored", () => {
  const run = startRun({ past: rollout(false).run.share.past, boundsMs: [], weight: 5, atMs: 0 });
  const fresh: Stored = { run, reading: startReading(0), source: "contour" };
  expect(restore(store(fresh))).toEqual(fresh);
});

test("one that an earlier version stored goes on, and knows nothing of what stable did beside the guard, nor of slow requests", () => {
  const { besideGuard: _new, slowExpected: _newer, ...share } = rollout(false).run.share;
  const text = JSON.parse(store(rollout(false))) as { run: object };
  const read = restore(JSON.stringify({ ...text, run: { ...text.run, share } }));
  expect(read?.run.share).toEqual({ ...share, besideGuard: tally(0, 0), slowExpected: [] });
});

test("steps that an earlier version stored are without slow requests, and stay so; the next one counts them", () => {
  const { run, reading, source } = rollout(false);
  const steps = run.steps.map(({ slow: _new, ...step }) => step);
  const read = restore(JSON.stringify({ version: 1, run: { ...run, steps }, reading, source }))!;
  const seen = { canary: tally(70, 5), stable: tally(1_330, 20) };
  const scrape = (at: number) => ({ fromMs: (at - 1) * 15_000, atMs: at * 15_000, errors: seen, slow: [seen, seen, seen] });
  observeScrape(read.run, scrape(21), defaultRules);
  takeStep(read.run, { weight: 50, atMs: 21 * 15_000 });
  observeScrape(read.run, scrape(22), defaultRules);
  expect(read.run.steps.slice(-2).map(({ slow }) => slow)).toEqual([[], [seen, seen, seen]]);
});

test.each<[string, string]>([
  ["nothing", ""],
  ["no JSON", "{"],
  ["another version", store(rollout(false)).replace('"version":1', '"version":2')],
  ["a number that is missing", store(rollout(false)).replace('"heldMs"', '"helt"')],
  ["a stream cut short", JSON.stringify({ ...(JSON.parse(store(rollout(false))) as object), run: {} })],
])("%s is not taken for a rollout", (_, text) => {
  expect(restore(text)).toBeUndefined();
});
