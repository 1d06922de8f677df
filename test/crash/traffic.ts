import type { MemoryKube } from "../fakes/memory-kube.ts";
import type { Release } from "./cluster.ts";
import { apps } from "./moves.ts";

/** Whether what runs is bad for its users. */
export function isBad({ image, config = "" }: Release): boolean {
  return image.includes(":e") || config.startsWith("broken");
}

const routeKind = { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute" };

/** Percent of traffic that goes to a Deployment; `undefined`: there is no route of its app. */
export function trafficOf(kube: MemoryKube, deployment: string): number | undefined {
  const app = apps.find((name) => deployment === name || deployment === `${name}-primary`);
  const route = kube.objects(routeKind).find(({ metadata }) => metadata.name === app);
  const { rules } = (route?.["spec"] ?? {}) as { rules?: { backendRefs: { name: string; weight: number }[] }[] };
  const side = deployment.endsWith("-primary") ? deployment : `${deployment}-canary`;
  return rules?.[0]?.backendRefs.find(({ name }) => name === side)?.weight;
}
