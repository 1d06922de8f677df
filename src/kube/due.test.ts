import { expect, test } from "vitest";
import { createDue } from "./due.ts";

test("keys come out when their time has come, earliest first", () => {
  const due = createDue();
  for (const [key, atMs] of [["c", 30], ["a", 10], ["d", 40], ["b", 20]] as const) due.set(key, atMs);
  expect(due.nextMs()).toBe(10);
  expect(due.release(30)).toEqual(["a", "b", "c"]);
  expect([due.nextMs(), due.size(), due.release(39), due.release(40), due.nextMs()]).toEqual([40, 1, [], ["d"], undefined]);
});

test("of several times for a key the earliest wins, and it comes out once", () => {
  const due = createDue();
  for (const atMs of [30, 10, 20]) due.set("a", atMs);
  expect([due.release(10), due.release(100)]).toEqual([["a"], []]);
});

test("a key that was deleted does not come out, and may wait anew for a later time", () => {
  const due = createDue();
  due.set("a", 10);
  due.delete("a");
  expect([due.nextMs(), due.release(10)]).toEqual([undefined, []]);
  due.set("a", 50);
  expect([due.release(49), due.release(50)]).toEqual([[], ["a"]]);
});

test("gives any times in order, also after many were set and deleted", () => {
  const due = createDue();
  let seed = 7;
  const next = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % 1_000;
  const times = new Map<string, number>();
  for (let step = 0; step < 5_000; step++) {
    const key = `key-${next() % 200}`;
    due.delete(key);
    times.delete(key);
    if (step % 3 === 0) continue;
    times.set(key, next());
    due.set(key, times.get(key) ?? 0);
  }
  expect(due.size()).toBe(times.size);
  const came: number[] = [];
  for (let nowMs = due.nextMs(); nowMs !== undefined; nowMs = due.nextMs())
    came.push(...due.release(nowMs).map((key) => times.get(key) ?? -1));
  expect(came).toEqual([...times.values()].sort((a, b) => a - b));
});
