import { expect, test } from "vitest";
import { apiVersion } from "../../api/meta.ts";
import { type Sync, sync } from "../../api/sync.ts";
import { impersonated } from "./status.ts";

function aSync(serviceAccountName: string | undefined): Sync {
  const spec = sync.spec.parse({ sourceRef: { name: "apps" }, path: "./apps", interval: "1m", prune: true, serviceAccountName });
  return { apiVersion, kind: "Sync", metadata: { name: "apps", namespace: "shop" }, spec, status: {} };
}

test.each<[string, string | undefined, string | undefined, string | undefined]>([
  ["a Sync that names a ServiceAccount writes as that one", "deployer", undefined, "system:serviceaccount:shop:deployer"],
  ["also where there is another default", "deployer", "default", "system:serviceaccount:shop:deployer"],
  ["one that names none writes as its namespace's default", undefined, "default", "system:serviceaccount:shop:default"],
  ["and as the controller where there is no default", undefined, undefined, undefined],
])("%s", (_, serviceAccountName, fallback, want) => {
  expect(impersonated(aSync(serviceAccountName), { serviceAccount: fallback })).toBe(want);
});
