import { expect, test } from "vitest";
import { aCanary, aDeployment } from "../../test/builders.ts";
import type { CanaryPhase } from "../api/canary.ts";
import { managers } from "../api/meta.ts";
import type { KubeObject, ManagedFields } from "../api/object.ts";
import { handOver } from "./handover.ts";

const replicas = { "f:spec": { "f:replicas": {} } };
const entry = (manager: string, more: Partial<ManagedFields> = {}): ManagedFields => ({
  manager,
  operation: "Apply",
  apiVersion: "apps/v1",
  fieldsV1: replicas,
  ...more,
});
const autoscaler = entry("kube-controller-manager", { operation: "Update", subresource: "scale" });

/** What Sync applies of a Deployment whose replicas are these managers' in the cluster. */
function applied(phase: CanaryPhase | undefined, ...managedFields: ManagedFields[]): unknown {
  const manifest = aDeployment();
  const live: KubeObject = { ...manifest, metadata: { ...manifest.metadata, managedFields } };
  const [object] = handOver([manifest], [aCanary({}, phase ? { phase } : {})], () => live).objects;
  return (object?.["spec"] as { replicas?: number } | undefined)?.replicas;
}

test.each<[string, unknown, number | undefined]>([
  ["applied before the Canary has taken them over", applied("Initializing", entry(managers.sync)), 2],
  ["applied while there is no Canary at work yet", applied(undefined, entry(managers.sync)), 2],
  ["left out once they are the Canary's", applied("Initializing", entry(managers.sync), entry(managers.canary)), undefined],
  ["left out also when an autoscaler took them from the Canary", applied("Progressing", autoscaler), undefined],
  ["applied while an autoscaler has them and no Canary began", applied(undefined, autoscaler), 2],
])("replicas in Git are %s", (_, is, want) => {
  expect(is).toBe(want);
});

test("a target that was deleted is applied with its replicas again", () => {
  const [object] = handOver([aDeployment()], [aCanary({}, { phase: "Progressing" })], () => undefined).objects;
  expect(object?.["spec"]).toMatchObject({ replicas: 2 });
});
