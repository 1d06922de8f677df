import { expect, test } from "vitest";
import { memoryKube, resourceOf } from "../../../test/fakes/memory-kube.ts";
import { apiVersion, names } from "../../api/meta.ts";
import type { KubeObject } from "../../api/object.ts";
import type { Sync, SyncSpec } from "../../api/sync.ts";
import { KubeError } from "../../kube/kube.ts";
import type { SyncDeps } from "./deps.ts";
import { removeSync } from "./remove.ts";

const { signal } = new AbortController();
const options = { fieldManager: "test" };
const config = (name: string, sync: string): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "shop", name, labels: { [names.syncName]: sync, [names.syncNamespace]: "shop" } },
});

interface Left {
  readonly configs: string[];
  readonly events: string[];
  /** Whether the Sync may go. */
  readonly released: boolean;
  readonly error: unknown;
}

/** A deleted Sync `apps` with ConfigMaps `a` and `b`, of which `b` went to another; `refusal`: what deleting `a` gives. */
async function leaves(spec: Partial<SyncSpec> = {}, refusal?: Error): Promise<Left> {
  const kube = memoryKube([resourceOf("v1", "ConfigMap"), resourceOf(apiVersion, "Sync")]);
  for (const object of [config("a", "apps"), config("b", "other"), config("c", "apps")]) await kube.create(object, options, signal);
  const metadata = { namespace: "shop", name: "apps", finalizers: [names.finalizer] };
  const stored = await kube.create({ apiVersion, kind: "Sync", metadata }, options, signal);
  const entries = ["a", "b", "gone"].map((name) => ({ id: `shop_${name}__ConfigMap`, v: "v1" }));
  const asked = { prune: true, sourceRef: { name: "repo" }, ...spec };
  const sync = { ...stored, spec: asked, status: { inventory: { entries } } } as unknown as Sync;
  if (refusal)
    kube.before = (call) => {
      if (call === "delete ConfigMap/shop/a") throw refusal;
    };
  const events: string[] = [];
  const warning = (_: KubeObject, reason: string, message: string): void => void events.push(`${reason}: ${message}`);
  const deps = { kube, events: { warning }, repositories: { find: () => undefined }, defaults: {} } as unknown as SyncDeps;
  const error = await removeSync(deps, sync, signal).then(() => undefined, (thrown: unknown) => thrown);
  const [after] = kube.objects({ apiVersion, kind: "Sync" });
  return {
    configs: kube.objects({ apiVersion: "v1", kind: "ConfigMap" }).map(({ metadata }) => metadata.name).sort(),
    events,
    released: (after?.metadata.finalizers ?? []).length === 0,
    error,
  };
}

test.each<[string, Partial<SyncSpec>]>([
  ["does not prune", { prune: false }],
  ["is suspended", { suspend: true }],
])("a Sync that %s leaves all", async (_, spec) => {
  expect(await leaves(spec)).toEqual({ configs: ["a", "b", "c"], events: [], released: true, error: undefined });
});

test("it takes along what is its own by inventory and by label, and nothing else", async () => {
  expect(await leaves()).toEqual({ configs: ["b", "c"], events: [], released: true, error: undefined });
});

test("what it may not delete stays and is named, and keeps nobody", async () => {
  const left = await leaves({}, new KubeError(403, "Forbidden", "no"));
  const events = ["PruneFailed: may not delete ConfigMap/shop/a; they stay in the cluster"];
  expect(left).toEqual({ configs: ["a", "b", "c"], events, released: true, error: undefined });
});

test.each<[string, Error]>([
  ["changes meanwhile", new KubeError(409, "Conflict", "it was changed")],
  ["cannot be reached", new KubeError(503, "ServiceUnavailable", "no")],
  ["fails otherwise", new Error("disk full")],
])("the Sync stays until what %s is gone", async (_, error) => {
  expect(await leaves({}, error)).toEqual({ configs: ["a", "b", "c"], events: [], released: false, error });
});
