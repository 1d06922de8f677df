import { expect, test } from "vitest";
import { memoryInformers } from "../../../test/fakes/memory-informers.ts";
import { memoryKube, resourceOf } from "../../../test/fakes/memory-kube.ts";
import { clusterOf, kindsRead } from "./cluster.ts";

const { signal } = new AbortController();
const { apiVersion, kind } = kindsRead.httpRoute;
const route = (weight: number) => ({ apiVersion, kind, metadata: { namespace: "shop", name: "checkout" }, spec: { weight } });

test("what was written counts until the watch has it or something newer, or knows nothing of it", async () => {
  const kube = memoryKube(Object.values(kindsRead).map((each) => resourceOf(each.apiVersion, each.kind)));
  const informers = memoryInformers(kube);
  const cluster = clusterOf(informers);
  const routes = informers.of(kindsRead.httpRoute);
  const ref = { ...kindsRead.httpRoute, namespace: "shop", name: "checkout" };
  const weight = () => (cluster.find(ref)?.["spec"] as { weight: number } | undefined)?.weight;
  const apply = async (value: number) => kube.apply(route(value), { fieldManager: "serin-canary" }, signal);

  cluster.wrote(await apply(0));
  // Whether it is there still, only the watch can say.
  expect(weight()).toBeUndefined();
  routes.relist();
  cluster.wrote(await apply(20));
  expect(weight()).toBe(20);
  routes.deliver(1);
  expect(weight()).toBe(20);
  await apply(30);
  expect(weight()).toBe(20);
  routes.deliver(1);
  expect(weight()).toBe(30);
  cluster.wrote(await apply(40));
  await kube.delete(ref, {}, signal);
  await apply(5);
  routes.relist();
  expect(weight()).toBe(5);
});
