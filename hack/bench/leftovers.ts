import { kinds } from "../../src/api/kinds.ts";
import { apiVersion } from "../../src/api/meta.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { inBatches } from "./cluster.ts";

/**
 * Takes what scenarios left behind out of the cluster without a controller's help, and waits until the namespaces are gone:
 * while they go, the API server has work that would count for the next scenario.
 * @param part what the names of all namespaces of the bench have in them
 */
export async function removeLeftovers(kube: KubeClient, part: string, signal: AbortSignal): Promise<void> {
  for (const { kind } of kinds) {
    await inBatches(await kube.list({ apiVersion, kind }, {}, signal), async ({ metadata: { namespace, name } }) => {
      const ref = { apiVersion, kind, namespace, name };
      await kube.patch(ref, { metadata: { finalizers: null } }, { fieldManager: "bench" }, signal);
      await kube.delete(ref, {}, signal);
    });
  }
  const namespace = { apiVersion: "v1", kind: "Namespace" };
  const left = async () => (await kube.list(namespace, {}, signal)).filter(({ metadata: { name } }) => name.includes(part));
  for (const { metadata: { name } } of await left()) await kube.delete({ ...namespace, name }, {}, signal);
  while ((await left()).length > 0) await systemClock.sleep(500, signal);
}
