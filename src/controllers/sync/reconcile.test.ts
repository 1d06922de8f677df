import { afterAll, beforeAll, expect, test } from "vitest";
import { appIn, configMap, eventually, startWorld, type World } from "../../../test/sync-world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

test("a commit is applied, labelled and named; what leaves Git is pruned", async () => {
  const app = appIn(world, "basic");
  const first = app.source.commit({ "a.yaml": configMap("a", { k: "1" }), "b.yaml": configMap("b", { k: "1" }) });
  await app.create();
  const { status } = await app.becomes(first, "True", "ReconciliationSucceeded");
  expect(status.revision).toBe(`main@sha1:${first}`);
  expect(status.lastAppliedRevision).toBe(`main@sha1:${first}`);
  const a = await app.find("ConfigMap", "a");
  expect(a?.metadata.labels).toMatchObject({ "serin.dev/sync-name": "app", "serin.dev/sync-namespace": "basic" });
  expect(a?.metadata.annotations).toEqual({ "serin.dev/commit": first });

  const second = app.source.commit({ "a.yaml": configMap("a", { k: "2" }) });
  await app.poke();
  await app.becomes(second, "True");
  expect((await app.find("ConfigMap", "a"))?.["data"]).toEqual({ k: "2" });
  await eventually(async () => ((await app.find("ConfigMap", "b")) ? undefined : true), () => "b was not pruned");
});
