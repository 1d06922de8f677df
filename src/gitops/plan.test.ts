import { describe, expect, test } from "vitest";
import { managers, names } from "../api/meta.ts";
import { type KubeObject, type ManagedFields, refOf } from "../api/object.ts";
import type { InventoryEntry } from "../api/sync.ts";
import { entryId, refOfEntry } from "./inventory.ts";
import { prepare } from "./manifest.ts";
import { compareRefs, stageOf } from "./order.ts";
import { type Action, afterApply, type Plan, plan, writeAhead } from "./plan.ts";

const owner = { name: "app", namespace: "shop" };
const [old, head] = ["a".repeat(40), "b".repeat(40)];

const config = (name: string, data: Record<string, string> = { k: "1" }): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "shop", name },
  data,
});

/** As the API server stores what Sync applied. */
function stored(object: KubeObject, more: readonly ManagedFields[] = []): KubeObject {
  const data = object["data"] as Record<string, string>;
  const fields = {
    "f:data": Object.fromEntries(Object.keys(data).map((key) => [`f:${key}`, {}])),
    "f:metadata": { "f:labels": { [`f:${names.syncName}`]: {} } },
  };
  const ours: ManagedFields = { manager: managers.sync, operation: "Apply", apiVersion: "v1", fieldsV1: fields };
  return { ...object, metadata: { ...object.metadata, managedFields: [ours, ...more] } };
}

const input = (object: KubeObject) => ({ object: prepare(object, owner), written: object });

/** What a Sync remembers after it applied these at the old commit. */
function remembered(...objects: KubeObject[]): InventoryEntry[] {
  const first = plan({ desired: objects.map(input), inventory: [], live: () => undefined, owner, commit: old });
  return afterApply([], first.steps.map((step) => ({ step, stored: stored(step.object) })));
}

const asApplied = (object: KubeObject) => stored(prepare(object, owner));
const planFor = (desired: readonly KubeObject[], inventory: readonly InventoryEntry[], live: readonly KubeObject[]): Plan =>
  plan({
    desired: desired.map(input),
    inventory,
    live: (ref) => live.find((object) => entryId(refOf(object)) === entryId(ref)),
    owner,
    commit: head,
  });

const byHand: ManagedFields = { manager: "kubectl-edit", operation: "Update", apiVersion: "v1", fieldsV1: { "f:data": { "f:x": {} } } };
const relabelled = (object: KubeObject): KubeObject => {
  const live = asApplied({ ...object, data: { k: "2" } });
  return { ...live, metadata: { ...live.metadata, labels: { ...live.metadata.labels, [names.syncName]: "other" } } };
};

const ofCommit = (object: KubeObject, commit: string): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, annotations: { [names.commit]: commit } },
});

test.each<[string, { desired: KubeObject; inventory: InventoryEntry[]; live: KubeObject[] }, Action, string]>([
  ["new in Git", { desired: config("a"), inventory: [], live: [] }, "create", head],
  ["there before Sync knew it", { desired: config("a"), inventory: [], live: [config("a")] }, "adopt", head],
  ["the same everywhere", { desired: config("a"), inventory: remembered(config("a")), live: [asApplied(config("a"))] }, "unchanged", old],
  ["changed in Git", { desired: config("a", { k: "2" }), inventory: remembered(config("a")), live: [asApplied(config("a"))] }, "change", head],
  ["written by a run that ended before it said so", { desired: config("a"), inventory: remembered(config("a")), live: [ofCommit(asApplied(config("a", { k: "3" })), head)] }, "change", old],
  ["changed in the cluster", { desired: config("a"), inventory: remembered(config("a")), live: [asApplied(config("a", { k: "3" }))] }, "correct", old],
  ["grown by another controller", { desired: config("a"), inventory: remembered(config("a")), live: [{ ...asApplied(config("a")), data: { k: "1", theirs: "2" } }] }, "unchanged", old],
  ["grown by hand", { desired: config("a"), inventory: remembered(config("a")), live: [stored(prepare(config("a"), owner), [byHand])] }, "correct", old],
  ["restarted by hand", { desired: config("a"), inventory: remembered(config("a")), live: [stored(prepare(config("a"), owner), [{ ...byHand, manager: "kubectl-rollout" }])] }, "unchanged", old],
  ["scaled by hand", { desired: config("a"), inventory: remembered(config("a")), live: [stored(prepare(config("a"), owner), [{ ...byHand, subresource: "scale" }])] }, "unchanged", old],
  ["deleted in the cluster", { desired: config("a"), inventory: remembered(config("a")), live: [] }, "recreate", old],
  ["under way when the last run was killed", { desired: config("a"), inventory: [{ id: "shop_a__ConfigMap", v: "v1" }], live: [asApplied(config("a"))] }, "change", head],
  ["claimed by another Sync", { desired: config("a"), inventory: remembered(config("a")), live: [relabelled(config("a"))] }, "taken", old],
])("an object that is %s", (_, { desired, inventory, live }, action, commit) => {
  const [step] = planFor([desired], inventory, live).steps;
  expect(step?.action).toBe(action);
  expect(step?.object.metadata.annotations?.[names.commit]).toBe(commit);
});

describe("the inventory", () => {
  test("has what is about to be before it is, and what is gone until it is pruned", () => {
    const before = remembered(config("gone"), config("same"), config("b"));
    const now = planFor(
      [config("same"), config("b", { k: "2" }), config("new")],
      before,
      [config("gone"), config("same"), config("b")].map(asApplied),
    );
    const ahead = writeAhead(before, now);
    expect(ahead.map(({ id, digest }) => [id, digest !== undefined])).toEqual([
      ["shop_b__ConfigMap", false],
      ["shop_gone__ConfigMap", true],
      ["shop_new__ConfigMap", false],
      ["shop_same__ConfigMap", true],
    ]);
    expect(now.stale.map(({ id }) => id)).toEqual(["shop_gone__ConfigMap"]);
    const half = afterApply(ahead, now.steps.filter(({ ref }) => ref.name === "b").map((step) => ({ step, stored: stored(step.object) })));
    expect(half.filter(({ digest }) => digest === undefined).map(({ id }) => id)).toEqual(["shop_new__ConfigMap"]);
  });

  test.each([
    ["shop_web_apps_Deployment", "v1", { apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "web" }],
    ["_system__node_rbac.authorization.k8s.io_ClusterRole", "v1", { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", name: "system:node" }],
    ["shop_my_role_rbac.authorization.k8s.io_Role", "v1", { apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role", namespace: "shop", name: "my_role" }],
    ["_shop__Namespace", "v1", { apiVersion: "v1", kind: "Namespace", name: "shop" }],
  ])("writes and reads %s", (id, v, ref) => {
    expect(entryId(ref)).toBe(id);
    expect(refOfEntry({ id, v })).toEqual(ref);
  });

  test("an entry that Serin did not write is refused", () => {
    expect(() => refOfEntry({ id: "nonsense", v: "v1" })).toThrow('status.inventory holds "nonsense"');
  });
});

test("kinds come in the order in which they need each other", () => {
  const kinds = [
    "ValidatingWebhookConfiguration",
    "Widget",
    "Deployment",
    "Service",
    "ConfigMap",
    "Namespace",
    "IngressClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "ClusterRole",
    "MutatingWebhookConfiguration",
    "GatewayClass",
    "DeviceClass",
  ];
  const sorted = kinds.map((kind) => ({ apiVersion: "v1", kind, name: "x" })).sort(compareRefs);
  expect(sorted.map(({ kind }) => kind)).toEqual([
    "CustomResourceDefinition",
    "Namespace",
    "ClusterRole",
    "IngressClass",
    "GatewayClass",
    "DeviceClass",
    "ServiceAccount",
    "ConfigMap",
    "Service",
    "Deployment",
    "Widget",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
  ]);
  expect(kinds.map((kind) => stageOf({ kind }))).toEqual([2, 2, 2, 2, 2, 0, 1, 0, 2, 0, 2, 1, 1]);
});

test("what only the API server writes is not applied, and a Secret's stringData becomes data", () => {
  const metadata = {
    name: "s",
    namespace: "n",
    uid: "1",
    resourceVersion: "2",
    creationTimestamp: "x",
    labels: { a: "b" },
    annotations: { [names.commit]: "x" },
  };
  expect(
    prepare({ apiVersion: "v1", kind: "Secret", metadata, data: { a: "YQ==", b: "Yg==" }, stringData: { b: "new" }, status: {} }, owner),
  ).toEqual({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "s", namespace: "n", labels: { a: "b", [names.syncName]: "app", [names.syncNamespace]: "shop" } },
    data: { a: "YQ==", b: "bmV3" },
  });
});
