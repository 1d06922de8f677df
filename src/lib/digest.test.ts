import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { isDigestBy, keyedDigest } from "./digest.ts";

const [one, other] = [keyedDigest("a".repeat(64)), keyedDigest("b".repeat(64))];

test("equal values have equal digests, and two keys give different ones of the same value", () => {
  expect(one("hunter2")).toBe(one("hunter2"));
  expect(one("hunter2")).not.toBe(one("hunter3"));
  expect(one("hunter2").split(":")[2]).not.toBe(other("hunter2").split(":")[2]);
});

test("a digest names its key, and holds neither the key nor a plain hash of the value", () => {
  expect(one("hunter2")).toMatch(/^hmac:[0-9a-f]{8}:[0-9a-f]{16}$/);
  const plain = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 8);
  for (const text of ["hunter2", "a".repeat(64)]) expect(one("hunter2")).not.toContain(plain(text));
});

test.each<[string, unknown, boolean]>([
  ["by the same key", one("hunter2"), true],
  ["by another key", other("hunter2"), false],
  ["by none", "sha256:0123456789abcdef", false],
  ["that is missing", undefined, false],
])("a digest %s", (_, digest, same) => {
  expect(isDigestBy(one, digest)).toBe(same);
});
