import { expect, test } from "vitest";
import { manualClock } from "../../test/fakes/manual-clock.ts";
import { createQueue } from "./queue.ts";

const limits = { baseMs: 1_000, maxMs: 10_000 };

function start() {
  const clock = manualClock();
  const abort = new AbortController();
  const queue = createQueue(clock, { random: () => 1 });
  return { clock, queue, abort, take: () => queue.take(abort.signal) };
}

/** A promise's value, or `undefined` while there is none. */
async function soFar<T>(promise: Promise<T>): Promise<T | undefined> {
  await new Promise(setImmediate);
  return Promise.race([promise, Promise.resolve(undefined)]);
}

test("a key added many times is handed out once", async () => {
  const { queue, take } = start();
  for (const key of ["a", "b", "a", "a"]) queue.add(key);
  expect([await take(), await take()]).toEqual(["a", "b"]);
  expect(await soFar(take())).toBeUndefined();
});

test("a key that is being worked on is not handed out again before it is done, but then once", async () => {
  const { queue, take } = start();
  queue.add("a");
  await take();
  queue.add("a");
  queue.add("a");
  const next = take();
  expect(await soFar(next)).toBeUndefined();
  queue.done("a");
  expect(await next).toBe("a");
  queue.done("a");
  expect(await soFar(take())).toBeUndefined();
});

test("what is wanted now goes first, also when it was waiting already", async () => {
  const { queue, take } = start();
  queue.add("a");
  queue.add("b");
  queue.add("b", "now");
  queue.add("b");
  expect([await take(), await take()]).toEqual(["b", "a"]);
  expect(await soFar(take())).toBeUndefined();
});

test("urgency asked for during the work is kept for the next run", async () => {
  const { queue, take } = start();
  queue.add("a");
  await take();
  queue.add("a", "now");
  queue.add("a");
  queue.add("b");
  queue.done("a");
  expect([await take(), await take()]).toEqual(["a", "b"]);
});

test("of several times the earliest wins", async () => {
  const { queue, clock, take } = start();
  queue.addAfter("a", 5_000);
  queue.addAfter("a", 2_000);
  queue.addAfter("a", 9_000);
  const next = take();
  await clock.advance(1_999);
  expect(await soFar(next)).toBeUndefined();
  await clock.advance(1);
  expect(await next).toBe("a");
  queue.done("a");
  const another = take();
  await clock.advance(20_000);
  expect(await soFar(another)).toBeUndefined();
});

test("a run does away with an earlier time, as it will ask for the next itself", async () => {
  const { queue, clock, take } = start();
  queue.addAfter("a", 5_000);
  queue.add("a");
  await take();
  queue.addAfter("a", 60_000);
  queue.done("a");
  const next = take();
  await clock.advance(59_999);
  expect(await soFar(next)).toBeUndefined();
  await clock.advance(1);
  expect(await next).toBe("a");
});

test("retries double up to the limit, for each key apart, until it is forgotten", () => {
  const { queue } = start();
  expect([1, 2, 3, 4, 5, 6].map(() => queue.retry("a", limits))).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  expect(queue.failures("a")).toBe(6);
  expect(queue.retry("b", limits)).toBe(1_000);
  queue.forget("a");
  expect(queue.retry("a", limits)).toBe(1_000);
});

test("something new wakes a taker that sleeps until a later time", async () => {
  const { queue, take } = start();
  queue.addAfter("later", 60_000);
  const next = take();
  expect(await soFar(next)).toBeUndefined();
  queue.add("b");
  expect(await next).toBe("b");
});

test("several takers never get the same key", async () => {
  const { queue, take } = start();
  const taken = Promise.all([take(), take(), take()]);
  for (const key of ["a", "b", "c"]) queue.add(key);
  expect((await taken).toSorted()).toEqual(["a", "b", "c"]);
});

test("keys that wait about equally long come at once, each up to a hundredth of its time late", async () => {
  const { queue, clock, take } = start();
  for (const key of ["a", "b", "c"]) {
    queue.addAfter(key, 10_000);
    await clock.advance(30);
  }
  const taken = [take(), take(), take()];
  await clock.advance(10_000 - 90 + 9);
  expect(await soFar(Promise.race(taken))).toBe("a");
  expect(await soFar(Promise.race(taken.slice(1)))).toBeUndefined();
  await clock.advance(91);
  expect(await soFar(Promise.all(taken))).toEqual(["a", "b", "c"]);
});

test("while one taker works the next one comes when the next key is due", async () => {
  const { queue, clock, take } = start();
  queue.addAfter("a", 1_000);
  queue.addAfter("b", 3_000);
  const taken = [take(), take()];
  await clock.advance(1_000);
  expect(await taken[0]).toBe("a");
  await clock.advance(2_000);
  expect(await soFar(taken[1]!)).toBe("b");
});

test("a key is not lost with a taker that leaves just as it is woken", async () => {
  const { queue, abort, take } = start();
  const leaving = take();
  const staying = queue.take(new AbortController().signal);
  queue.add("a");
  abort.abort(new Error("shutdown"));
  await expect(leaving).rejects.toThrow("shutdown");
  expect(await soFar(staying)).toBe("a");
});

test("a taker leaves with the signal's reason", async () => {
  const { take, abort } = start();
  const next = take();
  abort.abort(new Error("shutdown"));
  await expect(next).rejects.toThrow("shutdown");
});

test("its state says how many keys are ready and delayed, and how long the longest work has taken", async () => {
  const waited: number[] = [];
  const clock = manualClock();
  const queue = createQueue(clock, { onTaken: (waitedMs) => waited.push(waitedMs) });
  const { signal } = new AbortController();
  for (const key of ["a", "b", "c"]) queue.add(key);
  queue.addAfter("d", 60_000);
  expect(queue.state()).toEqual({ ready: 3, delayed: 1, longestRunningMs: 0 });
  await clock.advance(2_000);
  queue.add("c", "now");
  expect([await queue.take(signal), await queue.take(signal)]).toEqual(["c", "a"]);
  await clock.advance(3_000);
  await queue.take(signal);
  expect(queue.state()).toEqual({ ready: 0, delayed: 1, longestRunningMs: 3_000 });
  expect(waited).toEqual([2_000, 2_000, 5_000]);
  for (const key of ["a", "b", "c"]) queue.done(key);
  expect(queue.state()).toEqual({ ready: 0, delayed: 1, longestRunningMs: 0 });
});

test("a clock that is set back delays nothing", async () => {
  const [time, abort] = [manualClock(), new AbortController()];
  let setBackMs = 0;
  const queue = createQueue({ ...time, nowMs: () => time.nowMs() - setBackMs }, { random: () => 1 });
  const taken = queue.take(abort.signal);
  queue.addAfter("a", 5_000);
  setBackMs = 3_600_000;
  await time.advance(5_000);
  expect(await soFar(taken)).toBe("a");
});
