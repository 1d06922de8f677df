import { expect, test } from "vitest";
import { createLru } from "./lru.ts";
import { settleAll } from "./parallel.ts";

test("what was not used for longest goes first, by weight", () => {
  const cache = createLru<number>(10);
  cache.set("a", 1, 4);
  cache.set("b", 2, 4);
  cache.get("a");
  cache.set("c", 3, 4);
  expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual([1, undefined, 3]);
  cache.set("huge", 4, 11);
  expect([cache.get("huge"), cache.get("a")]).toEqual([undefined, 1]);
  cache.set("a", 5, 1);
  cache.set("d", 6, 5);
  expect([cache.get("a"), cache.get("c"), cache.get("d")]).toEqual([5, 3, 6]);
});

test("at most so many calls run at a time, all are made, and results keep their place", async () => {
  let [running, most] = [0, 0];
  const results = await settleAll([1, 2, 3, 4, 5], 2, async (item) => {
    most = Math.max(most, (running += 1));
    await Promise.resolve();
    running -= 1;
    if (item === 2) throw new Error("two");
    return item * 10;
  });
  expect(most).toBe(2);
  expect(results.map((result) => (result.status === "fulfilled" ? result.value : String(result.reason)))).toEqual([
    10,
    "Error: two",
    30,
    40,
    50,
  ]);
});
