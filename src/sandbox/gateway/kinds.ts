import { z } from "zod";
import type { ObjectMeta } from "../../api/object.ts";
import { isRecord } from "../../lib/json.ts";

const metadata = z.custom<ObjectMeta>((value) => isRecord(value) && typeof value["name"] === "string");
const head = { apiVersion: z.string(), kind: z.string(), metadata };
const namedHeader = z.object({ name: z.string(), value: z.string() });

const headerChange = z.looseObject({
  set: z.array(namedHeader).default([]),
  add: z.array(namedHeader).default([]),
  remove: z.array(z.string()).default([]),
});
/** What a header modifier filter does. */
export type HeaderChange = z.infer<typeof headerChange>;

const filter = z.looseObject({
  type: z.string(),
  requestHeaderModifier: headerChange.optional(),
  responseHeaderModifier: headerChange.optional(),
});
export type Filter = z.infer<typeof filter>;

const backendRef = z.looseObject({
  group: z.string().default(""),
  kind: z.string().default("Service"),
  name: z.string(),
  namespace: z.string().optional(),
  port: z.int().optional(),
  weight: z.int().min(0).default(1),
  filters: z.array(filter).default([]),
});
export type BackendRef = z.infer<typeof backendRef>;

const textMatch = z.looseObject({ type: z.string().default("Exact"), name: z.string(), value: z.string() });
export type TextMatch = z.infer<typeof textMatch>;
const routeMatch = z.looseObject({
  path: z.looseObject({ type: z.string().default("PathPrefix"), value: z.string().default("/") }).prefault({}),
  method: z.string().optional(),
  headers: z.array(textMatch).default([]),
  queryParams: z.array(textMatch).default([]),
});
export type RouteMatch = z.infer<typeof routeMatch>;

const routeRule = z.looseObject({
  matches: z.array(routeMatch).optional(),
  filters: z.array(filter).default([]),
  backendRefs: z.array(backendRef).default([]),
  timeouts: z.looseObject({ request: z.string().optional(), backendRequest: z.string().optional() }).optional(),
});
export type RouteRule = z.infer<typeof routeRule>;

const parentRef = z.looseObject({
  group: z.string().default("gateway.networking.k8s.io"),
  kind: z.string().default("Gateway"),
  namespace: z.string().optional(),
  name: z.string(),
  sectionName: z.string().optional(),
  port: z.int().optional(),
});
export type ParentRef = z.infer<typeof parentRef>;

const condition = z.looseObject({
  type: z.string(),
  status: z.string(),
  reason: z.string().optional(),
  lastTransitionTime: z.string().optional(),
});
const conditions = z.array(condition).default([]);

/** An HTTPRoute with the API's defaults. */
export const httpRoute = z.looseObject({
  ...head,
  spec: z.looseObject({
    parentRefs: z.array(parentRef).default([]),
    hostnames: z.array(z.string()).default([]),
    rules: z.array(routeRule).default([{ matches: undefined, filters: [], backendRefs: [] }]),
  }),
  status: z
    .looseObject({ parents: z.array(z.looseObject({ parentRef: z.looseObject({}), controllerName: z.string(), conditions })).default([]) })
    .prefault({}),
});
export type HttpRoute = z.infer<typeof httpRoute>;

const listener = z.looseObject({
  name: z.string(),
  hostname: z.string().optional(),
  port: z.int(),
  protocol: z.string(),
  allowedRoutes: z.looseObject({ namespaces: z.looseObject({ from: z.string().default("Same") }).prefault({}) }).prefault({}),
});
export type GatewayListener = z.infer<typeof listener>;

/** A Gateway with the API's defaults. */
export const gateway = z.looseObject({
  ...head,
  spec: z.looseObject({ gatewayClassName: z.string(), listeners: z.array(listener).default([]) }),
  status: z.looseObject({ conditions, listeners: z.array(z.looseObject({ name: z.string(), conditions })).default([]) }).prefault({}),
});
export type Gateway = z.infer<typeof gateway>;

/** A GatewayClass. */
export const gatewayClass = z.looseObject({
  ...head,
  spec: z.looseObject({ controllerName: z.string() }),
  status: z.looseObject({ conditions }).prefault({}),
});
export type GatewayClass = z.infer<typeof gatewayClass>;

const ingressBackend = z.looseObject({
  service: z.looseObject({ name: z.string(), port: z.looseObject({ number: z.int().optional(), name: z.string().optional() }) }).optional(),
});
export type IngressBackend = z.infer<typeof ingressBackend>;

/** An Ingress. */
export const ingress = z.looseObject({
  ...head,
  spec: z.looseObject({
    ingressClassName: z.string().optional(),
    defaultBackend: ingressBackend.optional(),
    rules: z
      .array(
        z.looseObject({
          host: z.string().default(""),
          http: z
            .looseObject({
              paths: z.array(z.looseObject({ path: z.string().default("/"), pathType: z.string(), backend: ingressBackend })),
            })
            .optional(),
        }),
      )
      .default([]),
  }),
  status: z.looseObject({}).prefault({}),
});
export type Ingress = z.infer<typeof ingress>;
