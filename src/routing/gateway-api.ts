import { z } from "zod";
import type { Canary } from "../api/canary.ts";
import type { KubeObject, ObjectRef } from "../api/object.ts";
import { StalledError } from "../lib/errors.ts";
import { apexName, sideName } from "./names.ts";
import type { Router } from "./router.ts";

const kind = { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute" } as const;

const backends = z.object({
  spec: z.object({
    rules: z.tuple([z.object({ backendRefs: z.tuple([z.object({ weight: z.number() }), z.object({ weight: z.number() })]) })]),
  }),
});

const acceptance = z.object({
  metadata: z.object({ generation: z.number().optional() }),
  status: z
    .object({
      parents: z.array(
        z.object({
          parentRef: z.object({ name: z.string() }).optional(),
          conditions: z
            .array(
              z.object({ type: z.string(), status: z.string(), message: z.string().optional(), observedGeneration: z.number().optional() }),
            )
            .default([]),
        }),
      ),
    })
    .optional(),
});

/** Gateway API: one HTTPRoute of the apex' name, with weighted backends. */
export const gatewayApi: Router = {
  inputs: () => [],
  outputs: (canary) => [routeRef(canary)],
  routes: (canary, split) => [
    routeTo(canary, [
      backend(canary, sideName(canary, "primary"), split.primary),
      backend(canary, sideName(canary, "canary"), split.canary),
    ]),
  ],
  restored: (canary) => [routeTo(canary, [backend(canary, apexName(canary), 1)])],
  split: ([live]) => {
    const route = backends.safeParse(live);
    if (!route.success) return undefined;
    const [primary, canary] = route.data.spec.rules[0].backendRefs;
    return { primary: primary.weight, canary: canary.weight };
  },
  notAccepted: ([live]) => {
    const route = acceptance.safeParse(live);
    if (!route.success) return "the HTTPRoute does not exist yet";
    const { metadata, status } = route.data;
    if (!status || status.parents.length === 0) return "no Gateway has answered for the HTTPRoute yet";
    return status.parents.map((parent) => refusal(parent, metadata.generation)).find((reason) => reason !== undefined);
  },
};

type Parent = NonNullable<z.infer<typeof acceptance>["status"]>["parents"][number];

/** Conditions that must hold before the data plane serves the route. */
const needed = ["Accepted", "ResolvedRefs"];

function refusal({ parentRef, conditions }: Parent, generation: number | undefined): string | undefined {
  const gateway = `Gateway ${parentRef?.name ?? ""}`.trim();
  const accepted = conditions.find(({ type }) => type === "Accepted");
  if (!accepted || (accepted.observedGeneration ?? 0) < (generation ?? 0)) return `${gateway} has not accepted the current HTTPRoute yet`;
  const refused = conditions.find(({ type, status }) => needed.includes(type) && status !== "True");
  return refused && `${gateway} does not serve the HTTPRoute: ${refused.message ?? `${refused.type} is ${refused.status}`}`;
}

function routeRef(canary: Canary): ObjectRef {
  return { ...kind, namespace: canary.metadata.namespace, name: apexName(canary) };
}

function backend({ spec }: Canary, name: string, weight: number): Record<string, unknown> {
  return { group: "", kind: "Service", name, port: spec.service.port, weight };
}

function routeTo(canary: Canary, backendRefs: readonly Record<string, unknown>[]): KubeObject {
  const { gatewayRefs, hosts, timeout } = canary.spec.service;
  const { namespace, name } = canary.metadata;
  if (!gatewayRefs || gatewayRefs.length === 0) {
    throw new StalledError("GatewayMissing", `Canary ${namespace}/${name}: spec.service.gatewayRefs must name at least one Gateway for provider gatewayapi:v1`);
  }
  const rule = {
    matches: [{ path: { type: "PathPrefix", value: "/" } }],
    backendRefs,
    ...(timeout === undefined ? {} : { timeouts: { request: timeout } }),
  };
  const spec = { parentRefs: gatewayRefs, ...(hosts === undefined ? {} : { hostnames: hosts }), rules: [rule] };
  return { ...kind, metadata: { name: apexName(canary), namespace }, spec };
}
