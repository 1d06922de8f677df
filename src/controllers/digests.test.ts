import { expect, test } from "vitest";
import { memoryInformers } from "../../test/fakes/memory-informers.ts";
import { type MemoryKube, memoryKube, resourceOf } from "../../test/fakes/memory-kube.ts";
import type { KubeObject } from "../api/object.ts";
import { createDigests, digestKeyName } from "./digests.ts";

const { signal } = new AbortController();
const options = { fieldManager: "test" };
const server = (): MemoryKube => memoryKube([resourceOf("v1", "Secret")]);
function digests(kube: MemoryKube, seen = kube) {
  const informers = memoryInformers(seen);
  informers.of({ apiVersion: "v1", kind: "Secret" }).relist();
  return createDigests({ kube, informers });
}
const keys = (kube: MemoryKube): KubeObject[] => kube.objects({ apiVersion: "v1", kind: "Secret" });
const stored = (data: object): KubeObject => {
  const metadata = { namespace: "shop", name: digestKeyName };
  return { apiVersion: "v1", kind: "Secret", metadata, data: { ...data } };
};

test("a namespace gets one key, by which its digests stay comparable", async () => {
  const kube = server();
  const first = (await digests(kube).of("shop", signal))("hunter2");
  expect((await digests(kube).of("shop", signal))("hunter2")).toBe(first);
  expect((await digests(kube).of("shop", signal))("hunter3")).not.toBe(first);
  expect(keys(kube)).toHaveLength(1);
  expect((await digests(kube).of("cart", signal))("hunter2")).not.toBe(first);
});

test("who comes second goes by the key of who was first", async () => {
  const kube = server();
  const late = { ...kube, find: async () => undefined };
  const first = (await digests(kube).of("shop", signal))("hunter2");
  expect((await digests(late, server()).of("shop", signal))("hunter2")).toBe(first);
});

test.each<[string, object]>([
  ["is empty", { key: "" }],
  ["is missing", { other: "a2V5" }],
  ["is no text", { key: 1 }],
])("a key that %s is none: digests by it could be guessed", async (_, data) => {
  const kube = server();
  await kube.create(stored(data), options, signal);
  await expect(digests(kube).of("shop", signal)).rejects.toThrow(`Secret shop/${digestKeyName}: has no key "key"; delete it, and another is made`);
});

test("nor is one that the API server did not keep", async () => {
  const kube = server();
  const forgetful = { ...kube, create: async () => stored({}) };
  await expect(digests(forgetful).of("shop", signal)).rejects.toThrow(/has no key "key"/);
});
