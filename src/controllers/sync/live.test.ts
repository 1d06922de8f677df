import { expect, test } from "vitest";
import { manualClock } from "../../../test/fakes/manual-clock.ts";
import { memoryInformers } from "../../../test/fakes/memory-informers.ts";
import { memoryKube, resourceOf } from "../../../test/fakes/memory-kube.ts";
import { createLive } from "./live.ts";

const { signal } = new AbortController();
const kind = { apiVersion: "v1", kind: "ConfigMap" };
const ref = { ...kind, namespace: "shop", name: "settings" };

test.each([
  ["as it is", 0],
  ["set ahead", 3_600_000],
  ["set back", -3_600_000],
])("what was written counts for thirty seconds until the watch has it, by a clock that is %s", async (_, setMs) => {
  const kube = memoryKube([resourceOf(kind.apiVersion, kind.kind)]);
  const informers = memoryInformers(kube);
  const clock = manualClock();
  const live = createLive({ informers, clock });
  const settings = { ...kind, metadata: { namespace: "shop", name: "settings" } };
  const write = async (size: string) => kube.apply({ ...settings, data: { size } }, { fieldManager: "serin-sync" }, signal);
  const size = () => (live.find(ref)?.["data"] as { size: string } | undefined)?.size;
  await write("1");
  live.find(ref);
  informers.of(kind).relist();
  live.wrote(await write("2"));
  clock.set(setMs);
  clock.jump(29_999);
  expect(size()).toBe("2");
  clock.jump(1);
  // The watch has lost the event: then what it says counts.
  expect(size()).toBe("1");
});
