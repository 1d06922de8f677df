import { expect, test } from "vitest";
import { managers } from "../../api/meta.ts";
import type { KubeObject } from "../../api/object.ts";
import type { Sync } from "../../api/sync.ts";
import type { Action, Step } from "../../gitops/plan.ts";
import { silentLogger } from "../../lib/log.ts";
import type { SyncDeps } from "./deps.ts";
import { nameSome, tellApplied, tellDrift } from "./events.ts";

const sync = { apiVersion: "serin.dev/v1beta1", kind: "Sync", metadata: { namespace: "shop", name: "apps" } } as Sync;

function done(action: Action, name: string, by?: string) {
  const object: KubeObject = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name }, data: { size: "1" } };
  const fieldsV1 = { "f:data": { "f:size": {} } };
  const managedFields = [{ manager: by ?? managers.sync, operation: "Update" as const, apiVersion: "v1", fieldsV1 }];
  const live = by === undefined ? undefined : { ...object, metadata: { ...object.metadata, managedFields } };
  const ref = { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name };
  const step: Step = { action, ref, object, live, entry: { id: `shop_${name}__ConfigMap`, v: "v1" } };
  return { step, stored: object };
}

/** What people hear of it. */
function told(tell: typeof tellApplied, ...all: readonly ReturnType<typeof done>[]): string[] {
  const heard: string[] = [];
  const say = (type: string) => (_: KubeObject, reason: string, message: string) => void heard.push(`${type} ${reason}: ${message}`);
  const events = { normal: say("Normal"), warning: say("Warning") };
  tell({ events, log: silentLogger } as unknown as SyncDeps, sync, { done: all, revision: "main@sha1:abc" });
  return heard;
}

test("a commit's changes are one event, sorted by what happened", () => {
  expect(told(tellApplied, done("create", "a"), done("change", "b", "x"), done("adopt", "c", "x"), done("create", "d"))).toEqual([
    "Normal Applied: main@sha1:abc: created ConfigMap/shop/a, ConfigMap/shop/d; adopted ConfigMap/shop/c; changed ConfigMap/shop/b",
  ]);
});

test("what only drifted is no change of a commit", () => {
  expect(told(tellApplied, done("correct", "a", "kubectl-edit"), done("recreate", "b"))).toEqual([]);
});

test("each object that is put back is named, with who had changed it", () => {
  const all = [done("create", "a"), done("change", "b", "x"), done("correct", "c", "kubectl-edit"), done("recreate", "d")];
  expect(told(tellDrift, ...all)).toEqual([
    "Warning DriftCorrected: main@sha1:abc: ConfigMap/shop/c was changed in the cluster (data.size by kubectl-edit) and is put back",
    "Warning DriftCorrected: main@sha1:abc: ConfigMap/shop/d was deleted in the cluster and is created again",
  ]);
});

test("of many only ten are named", () => {
  const names = Array.from({ length: 12 }, (_, index) => `n${index}`);
  expect(nameSome(names.slice(0, 10))).toBe(names.slice(0, 10).join(", "));
  expect(nameSome(names)).toBe(`${names.slice(0, 10).join(", ")} and 2 more`);
});
