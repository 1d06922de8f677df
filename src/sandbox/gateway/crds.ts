import type { KubeObject } from "../../api/object.ts";

type Schema = Readonly<Record<string, unknown>>;

const group = "gateway.networking.k8s.io";
const text: Schema = { type: "string" };
const whole: Schema = { type: "integer", format: "int32" };
const port: Schema = { ...whole, minimum: 1, maximum: 65_535 };
/** Parts of the API that the sandbox's gateway does not act on: stored as they are. */
const anything: Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
const hostname: Schema = { type: "string", minLength: 1, maxLength: 253, pattern: "^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$" };
const span: Schema = { type: "string", pattern: "^([0-9]{1,5}(h|m|s|ms)){1,4}$" };

const withDefault = (schema: Schema, value: unknown): Schema => ({ ...schema, default: value });
const oneOf = (...values: string[]): Schema => ({ type: "string", enum: values });
const object = (properties: Readonly<Record<string, Schema>>, ...required: string[]): Schema => ({
  type: "object",
  properties,
  ...(required.length > 0 ? { required } : {}),
});
const list = (items: Schema, maxItems: number): Schema => ({ type: "array", items, maxItems, "x-kubernetes-list-type": "atomic" });
const listBy = (key: string, items: Schema, maxItems: number): Schema => ({
  type: "array",
  items,
  maxItems,
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": [key],
});

const condition = object(
  {
    type: text,
    status: oneOf("True", "False", "Unknown"),
    reason: text,
    message: text,
    lastTransitionTime: { type: "string", format: "date-time" },
    observedGeneration: { type: "integer", format: "int64" },
  },
  "type",
  "status",
  "reason",
  "message",
  "lastTransitionTime",
);
const conditions = listBy("type", condition, 8);

const parentRef = object(
  { group: withDefault(text, group), kind: withDefault(text, "Gateway"), namespace: text, name: text, sectionName: text, port },
  "name",
);

const header = object({ name: text, value: text }, "name", "value");
const headerChange = object({
  set: listBy("name", header, 16),
  add: listBy("name", header, 16),
  remove: { ...list(text, 16), "x-kubernetes-list-type": "set" },
});
const filter = object(
  {
    type: oneOf(
      "RequestHeaderModifier",
      "ResponseHeaderModifier",
      "RequestMirror",
      "RequestRedirect",
      "URLRewrite",
      "ExtensionRef",
      "CORS",
    ),
    requestHeaderModifier: headerChange,
    responseHeaderModifier: headerChange,
    requestMirror: anything,
    requestRedirect: anything,
    urlRewrite: anything,
    extensionRef: anything,
    cors: anything,
  },
  "type",
);
const textMatch = object({ type: withDefault(oneOf("Exact", "RegularExpression"), "Exact"), name: text, value: text }, "name", "value");
const everyPath = { path: { type: "PathPrefix", value: "/" } };
const match = object({
  path: withDefault(
    object({
      type: withDefault(oneOf("Exact", "PathPrefix", "RegularExpression"), "PathPrefix"),
      value: withDefault({ ...text, maxLength: 1_024 }, "/"),
    }),
    everyPath.path,
  ),
  method: oneOf("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"),
  headers: listBy("name", textMatch, 16),
  queryParams: listBy("name", textMatch, 16),
});
const backendRef = object(
  {
    group: withDefault(text, ""),
    kind: withDefault(text, "Service"),
    namespace: text,
    name: text,
    port,
    weight: withDefault({ ...whole, minimum: 0, maximum: 1_000_000 }, 1),
    filters: list(filter, 16),
  },
  "name",
);
const rule = object({
  name: text,
  matches: withDefault(list(match, 64), [everyPath]),
  filters: list(filter, 16),
  backendRefs: list(backendRef, 16),
  timeouts: object({ request: span, backendRequest: span }),
  retry: anything,
  sessionPersistence: anything,
});
const routeSpec = object({
  parentRefs: list(parentRef, 32),
  hostnames: list(hostname, 16),
  rules: withDefault(list(rule, 16), [{ matches: [everyPath] }]),
});
const routeStatus = object(
  { parents: list(object({ parentRef, controllerName: text, conditions }, "parentRef", "controllerName"), 32) },
  "parents",
);

const listener = object(
  {
    name: text,
    hostname,
    port,
    protocol: text,
    tls: anything,
    allowedRoutes: withDefault(
      object({
        namespaces: withDefault(object({ from: withDefault(oneOf("All", "Selector", "Same", "None"), "Same"), selector: anything }), {
          from: "Same",
        }),
        kinds: list(object({ group: withDefault(text, group), kind: text }, "kind"), 8),
      }),
      { namespaces: { from: "Same" } },
    ),
  },
  "name",
  "port",
  "protocol",
);
const address = object({ type: withDefault(text, "IPAddress"), value: text });
const gatewaySpec = object(
  { gatewayClassName: text, listeners: listBy("name", listener, 64), addresses: list(address, 16), infrastructure: anything },
  "gatewayClassName",
  "listeners",
);
const listenerStatus = object(
  { name: text, supportedKinds: list(object({ group: text, kind: text }, "kind"), 8), attachedRoutes: whole, conditions },
  "name",
  "attachedRoutes",
  "conditions",
);
const gatewayStatus = object({ addresses: list(address, 16), conditions, listeners: listBy("name", listenerStatus, 64) });

const classSpec = object({ controllerName: text, description: text, parametersRef: anything }, "controllerName");
const classStatus = object({ conditions, supportedFeatures: { type: "array", items: anything } });

interface Column {
  readonly name: string;
  readonly jsonPath: string;
  readonly type?: string;
}

interface Definition {
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly scope: "Cluster" | "Namespaced";
  readonly spec: Schema;
  readonly status: Schema;
  readonly columns: readonly Column[];
}

const age: Column = { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" };
const conditionColumn = (type: string): Column => ({ name: type, jsonPath: `.status.conditions[?(@.type=="${type}")].status` });

const definitions: readonly Definition[] = [
  {
    kind: "GatewayClass",
    plural: "gatewayclasses",
    shortNames: ["gc"],
    scope: "Cluster",
    spec: classSpec,
    status: classStatus,
    columns: [{ name: "Controller", jsonPath: ".spec.controllerName" }, conditionColumn("Accepted"), age],
  },
  {
    kind: "Gateway",
    plural: "gateways",
    shortNames: ["gtw"],
    scope: "Namespaced",
    spec: gatewaySpec,
    status: gatewayStatus,
    columns: [
      { name: "Class", jsonPath: ".spec.gatewayClassName" },
      { name: "Address", jsonPath: ".status.addresses[*].value" },
      conditionColumn("Programmed"),
      age,
    ],
  },
  {
    kind: "HTTPRoute",
    plural: "httproutes",
    shortNames: [],
    scope: "Namespaced",
    spec: routeSpec,
    status: routeStatus,
    columns: [{ name: "Hostnames", jsonPath: ".spec.hostnames" }, age],
  },
];

/** GatewayClass, Gateway and HTTPRoute as custom resources, for an API server that does not have Gateway API's own definitions. */
export function gatewayCrds(): KubeObject[] {
  return definitions.map(({ kind, plural, shortNames, scope, spec, status, columns }) => ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    // A real API server wants to know who approved names that end in k8s.io.
    metadata: { name: `${plural}.${group}`, annotations: { "api-approved.kubernetes.io": "unapproved, a sandbox's reading of the published API" } },
    spec: {
      group,
      scope,
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase(), shortNames, categories: ["gateway-api"] },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns.map((column) => ({ type: "string", ...column })),
          schema: { openAPIV3Schema: object({ apiVersion: text, kind: text, metadata: { type: "object" }, spec, status }, "spec") },
        },
      ],
    },
  }));
}
