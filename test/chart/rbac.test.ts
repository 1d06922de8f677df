import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../src/api/object.ts";
import { type Access, accessesOf, compareRoles, type Grant, grantsOf } from "./rbac.ts";

const user = "system:serviceaccount:serin-system:serin";

function line(event: object): string {
  return JSON.stringify({ kind: "Event", level: "Metadata", stage: "ResponseComplete", user: { username: user }, ...event });
}

function get(resource: string, more: object = {}): string {
  return line({ verb: "get", requestURI: "/…", objectRef: { resource, namespace: "shop", name: "a", ...more } });
}

describe("what a line of the audit log says", () => {
  const patched = { verb: "patch", objectRef: { resource: "deployments", apiGroup: "apps", namespace: "shop", name: "a" } };
  const patch: Access = { verb: "patch", group: "apps", resource: "deployments", namespace: "shop", name: "a" };
  const uri = "/apis/apps/v1/namespaces/shop/deployments/a";

  test.each<[string, string, Access[]]>([
    ["a read of one object", get("secrets"), [{ verb: "get", group: "", resource: "secrets", namespace: "shop", name: "a" }]],
    ["a subresource is part of the resource", get("canaries", { apiGroup: "serin.dev", subresource: "status" }), [{ verb: "get", group: "serin.dev", resource: "canaries/status", namespace: "shop", name: "a" }]],
    ["a watch of all namespaces names none", line({ verb: "watch", requestURI: "/api/v1/pods?watch=true", objectRef: { resource: "pods" } }), [{ verb: "watch", group: "", resource: "pods" }]],
    ["an apply that changed an object is a patch", line({ ...patched, requestURI: uri, responseStatus: { code: 200 } }), [patch]],
    ["an apply that made the object is a patch and a create", line({ ...patched, requestURI: uri, responseStatus: { code: 201 } }), [patch, { ...patch, verb: "create" }]],
    ["what was refused was wanted", line({ ...patched, requestURI: uri, responseStatus: { code: 403 } }), [patch]],
    ["what a Sync applies is the right of Syncs", line({ ...patched, requestURI: `${uri}?fieldManager=serin-sync&force=true` }), []],
    ["what a Canary applies is the controller's", line({ ...patched, requestURI: `${uri}?fieldManager=serin-canary&force=true` }), [patch]],
    ["as another ServiceAccount, only taking its name is our right", line({ ...patched, requestURI: uri, impersonatedUser: { username: "system:serviceaccount:shop:deployer" } }), [{ verb: "impersonate", group: "", resource: "serviceaccounts", namespace: "shop", name: "deployer" }]],
    ["as a user", line({ ...patched, requestURI: uri, impersonatedUser: { username: "ada" } }), [{ verb: "impersonate", group: "", resource: "users", name: "ada" }]],
    ["discovery is open to everybody", line({ verb: "get", requestURI: "/apis" }), []],
    ["another user", get("secrets").replace(user, "system:admin"), []],
    ["another user who is acted upon by ours", line({ verb: "get", requestURI: "/…", user: { username: "ada" }, impersonatedUser: { username: user } }), []],
  ])("%s", (_, given, want) => {
    expect(accessesOf([given], user)).toEqual(want);
  });

  test("the same twice counts once", () => {
    expect(accessesOf([get("secrets"), get("secrets"), get("pods")], user)).toHaveLength(2);
  });
});

describe("what roles give", () => {
  const role = (kind: string, name: string, namespace?: string): KubeObject => ({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    rules: [{ apiGroups: ["apps"], resources: ["deployments"], verbs: ["get"] }],
  });
  const binding = (kind: string, roleRef: object, namespace?: string): KubeObject => ({ ...role(kind, "bound", namespace), roleRef });
  const rule: Grant = { groups: ["apps"], resources: ["deployments"], verbs: ["get"], names: [] };

  test.each<[string, KubeObject[], Grant[]]>([
    ["a ClusterRole bound everywhere", [role("ClusterRole", "a"), binding("ClusterRoleBinding", { kind: "ClusterRole", name: "a" })], [rule]],
    ["a ClusterRole bound in one namespace", [role("ClusterRole", "a"), binding("RoleBinding", { kind: "ClusterRole", name: "a" }, "shop")], [{ ...rule, namespace: "shop" }]],
    ["a Role", [role("Role", "a", "shop"), binding("RoleBinding", { kind: "Role", name: "a" }, "shop")], [{ ...rule, namespace: "shop" }]],
    ["a Role of another namespace is not the one that is bound", [role("Role", "a", "web"), binding("RoleBinding", { kind: "Role", name: "a" }, "shop")], []],
    ["a role that nobody has", [role("ClusterRole", "a")], []],
    ["a role that is not ours", [binding("ClusterRoleBinding", { kind: "ClusterRole", name: "edit" })], []],
  ])("%s", (_, objects, want) => {
    expect(grantsOf(objects)).toEqual(want);
  });
});

describe("roles and deeds", () => {
  const read: Access = { verb: "get", group: "", resource: "secrets", namespace: "shop", name: "a" };
  const watch: Access = { verb: "watch", group: "", resource: "secrets" };
  const grant = (verbs: string[], more: Partial<Grant> = {}): Grant => ({ groups: [""], resources: ["secrets"], verbs, names: [], ...more });
  const exact = { missing: [], unused: [] };

  interface Granted {
    readonly own: Grant[];
    readonly others?: Grant[];
  }

  test.each<[string, Access[], Granted, object]>([
    ["exact roles differ in nothing", [read, watch], { own: [grant(["get", "watch"])] }, exact],
    ["a deed without a right", [read, watch], { own: [grant(["get"])] }, { missing: ["watch secrets"], unused: [] }],
    ["a right without a deed", [read], { own: [grant(["get", "delete"])] }, { missing: [], unused: ["delete secrets"] }],
    ["every resource of a rule counts on its own", [read], { own: [grant(["get"], { resources: ["secrets", "pods"] })] }, { missing: [], unused: ["get pods"] }],
    ["another group is another kind", [read], { own: [grant(["get"], { groups: ["apps"] })] }, { missing: ["get secrets in shop"], unused: ["get secrets.apps"] }],
    ["a right in another namespace does not help", [read], { own: [grant(["get"], { namespace: "web" })] }, { missing: ["get secrets in shop"], unused: ["get secrets in web"] }],
    ["a right in one namespace is no right to watch all", [watch], { own: [grant(["watch"], { namespace: "shop" })] }, { missing: ["watch secrets"], unused: ["watch secrets in shop"] }],
    ["a right to one name", [read], { own: [grant(["get"], { names: ["a"] })] }, exact],
    ["a right to another name", [read], { own: [grant(["get"], { names: ["b"] })] }, { missing: ["get secrets in shop"], unused: ["get secrets"] }],
    ["a right to names is no right to a list", [watch], { own: [grant(["watch"], { names: ["a"] })] }, { missing: ["watch secrets"], unused: ["watch secrets"] }],
    ["others' rights need not be used", [read], { own: [grant(["get"])], others: [grant(["delete"])] }, exact],
    ["others' rights help", [read, watch], { own: [grant(["get"])], others: [grant(["watch"])] }, exact],
    ["what only others' rights allow does not make an own one used", [watch], { own: [grant(["get"])], others: [grant(["*"])] }, { missing: [], unused: ["get secrets"] }],
  ])("%s", (_, accesses, { own, others }, want) => {
    expect(compareRoles(accesses, own, others)).toEqual(want);
  });
});
