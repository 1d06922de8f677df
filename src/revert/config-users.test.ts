import { expect, test } from "vitest";
import type { KubeObject } from "../api/object.ts";
import { configsUsedBy, sharedConfigs } from "./config-users.ts";

function workload(kind: string, name: string, pod: object, namespace = "shop"): KubeObject {
  return { apiVersion: "apps/v1", kind, metadata: { name, namespace }, spec: { template: { spec: pod } } };
}

test.each<[string, object, string[]]>([
  ["env of a container", { containers: [{ env: [{ valueFrom: { configMapKeyRef: { name: "a", key: "k" } } }, { valueFrom: { secretKeyRef: { name: "b", key: "k" } } }] }] }, ["ConfigMap/a", "Secret/b"]],
  ["envFrom of an init container", { initContainers: [{ envFrom: [{ configMapRef: { name: "a" } }, { secretRef: { name: "b" } }] }] }, ["ConfigMap/a", "Secret/b"]],
  ["volumes", { volumes: [{ configMap: { name: "a" } }, { secret: { secretName: "b" } }] }, ["ConfigMap/a", "Secret/b"]],
  ["projected volumes", { volumes: [{ projected: { sources: [{ configMap: { name: "a" } }, { secret: { name: "b" } }] } }] }, ["ConfigMap/a", "Secret/b"]],
  ["nothing", { containers: [{ image: "shop:1", env: [{ name: "secret", value: "name" }] }], volumes: [{ emptyDir: {} }, { configMap: {} }] }, []],
])("a pod template uses the configs of %s", (_, pod, want) => {
  expect([...configsUsedBy(workload("Deployment", "checkout", pod))].sort()).toEqual(want);
});

test.each<[string, KubeObject, boolean]>([
  ["another Deployment of its namespace", workload("Deployment", "cart", { volumes: [{ configMap: { name: "flags" } }] }), true],
  ["another kind of the same name", workload("StatefulSet", "checkout", { volumes: [{ configMap: { name: "flags" } }] }), true],
  ["the target itself", workload("Deployment", "checkout", { volumes: [{ configMap: { name: "flags" } }] }), false],
  ["a Deployment of another namespace", workload("Deployment", "cart", { volumes: [{ configMap: { name: "flags" } }] }, "test"), false],
  ["the Canary, which reads nothing", workload("Canary", "checkout", { volumes: [{ configMap: { name: "flags" } }] }), false],
])("a config that %s uses is shared or not", (_, other, shared) => {
  const target = { name: "checkout", namespace: "shop" };
  const itself = workload("Deployment", "checkout", { volumes: [{ configMap: { name: "own" } }] });
  expect([...sharedConfigs(target, [itself, other])]).toEqual(shared ? ["ConfigMap/flags"] : []);
});
