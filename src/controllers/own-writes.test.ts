import { expect, test } from "vitest";
import type { Resource } from "../api/meta.ts";
import { withOwnWrites } from "./own-writes.ts";
import type { Resources } from "./resources.ts";

type Thing = Resource<object, { at: string }>;
const thing = (resourceVersion: string, at: string, uid = "1"): Thing => ({
  apiVersion: "v1",
  kind: "Thing",
  metadata: { namespace: "n", name: "a", uid, resourceVersion },
  spec: {},
  status: { at },
});

test("a status that was written is seen until the informer shows it or something newer", async () => {
  let seen: Thing | undefined = thing("9", "before");
  const resources = withOwnWrites<Thing>({
    informer: undefined as never,
    find: () => seen,
    list: () => [],
    addIndex: () => {},
    byIndex: () => [],
    patchStatus: async (_, status) => thing("10", (status as { at: string }).at),
  } satisfies Resources<Thing>);
  const at = () => resources.find("n/a")?.status.at;
  await resources.patchStatus(thing("9", "before"), { at: "written" }, new AbortController().signal);
  expect(at()).toBe("written");
  seen = thing("11", "newer");
  expect(at()).toBe("newer");
  await resources.patchStatus(seen, { at: "written" }, new AbortController().signal);
  seen = thing("9", "another of that name", "2");
  expect(at()).toBe("another of that name");
  seen = undefined;
  expect(at()).toBeUndefined();
});
