import { expect, test } from "vitest";
import type { KubeObject } from "../api/object.ts";
import { withSubjectsIn } from "./namespace.ts";

const account = (name: string, namespace?: string) => ({ kind: "ServiceAccount", name, ...(namespace === undefined ? {} : { namespace }) });
const binding = (subjects: unknown, kind = "RoleBinding"): KubeObject => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind,
  metadata: { name: "readers", namespace: "team" },
  subjects,
});
const moved = new Set(["robot"]);

test.each<[string, KubeObject, string | undefined, unknown]>([
  ["a ServiceAccount that moves with it", binding([account("robot", "team")]), "shop", [account("robot", "shop")]],
  ["a namespace's own one", binding([account("default", "team")]), "shop", [account("default", "shop")]],
  ["the same in a ClusterRoleBinding", binding([account("robot")], "ClusterRoleBinding"), "shop", [account("robot", "shop")]],
  ["not one that is elsewhere", binding([account("prometheus", "monitoring")]), "shop", [account("prometheus", "monitoring")]],
  ["not a user or a group of its name", binding([{ kind: "User", name: "robot" }, { kind: "Group", name: "default" }]), "shop", [{ kind: "User", name: "robot" }, { kind: "Group", name: "default" }]],
  ["not what is no subject", binding(["robot", null]), "shop", ["robot", null]],
  ["none without a target namespace", binding([account("robot", "team")]), undefined, [account("robot", "team")]],
  ["none of another kind", binding([account("robot", "team")], "Team"), "shop", [account("robot", "team")]],
  ["none where there is no list", binding("robot"), "shop", "robot"],
])("a binding follows %s", (_, object, target, want) => {
  expect(withSubjectsIn(object, target, moved)).toEqual({ ...object, subjects: want });
});
