import { z } from "zod";
import { commonStatus, type Kind, localRef, type Resource } from "./meta.ts";

const spec = z.object({
  provider: z
    .object({
      type: z.enum(["prometheus"]).describe("Which kind of server answers the query."),
      address: z
        .string()
        .regex(/^https?:\/\/[^\s@]+$/)
        .describe("Address of the server."),
      secretRef: localRef.optional().describe("Secret with `username` and `password`, or with `token` (bearer)."),
    })
    .describe("The server that answers the query."),
  query: z
    .string()
    .min(1)
    .describe("Query with the variables {{ name }}, {{ namespace }}, {{ target }}, {{ service }}, {{ ingress }}, {{ route }}, {{ interval }} and {{ variables.key }}."),
});

const status = z.object({ ...commonStatus });

/** The kind MetricTemplate. */
export const metricTemplate = {
  kind: "MetricTemplate",
  plural: "metrictemplates",
  singular: "metrictemplate",
  shortNames: [],
  description: "A named query that Canaries refer to.",
  spec,
  status,
  columns: [
    { name: "Provider", type: "string", jsonPath: ".spec.provider.type", description: "Kind of server." },
    { name: "Ready", type: "string", jsonPath: ".status.conditions[?(@.type==\"Ready\")].status", description: "Whether the query can be used." },
    { name: "Message", type: "string", jsonPath: ".status.conditions[?(@.type==\"Ready\")].message", description: "Why.", priority: 1 },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Since when it exists." },
  ],
} as const satisfies Kind;

export type MetricTemplateSpec = z.infer<typeof spec>;
export type MetricTemplate = Resource<MetricTemplateSpec, z.infer<typeof status>>;
