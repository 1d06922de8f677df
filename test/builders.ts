import { policyOf, rulesOf } from "../src/analysis/settings.ts";
import type { ShareRules } from "../src/analysis/share.ts";
import type { Policy } from "../src/analysis/verdict.ts";
import { type Canary, type CanarySpec, type CanaryStatus, canary as kind } from "../src/api/canary.ts";
import { apiVersion } from "../src/api/meta.ts";
import type { KubeObject } from "../src/api/object.ts";

/** Parts of a Canary's spec as a user writes them. */
export interface CanaryInput {
  readonly provider?: string;
  readonly [field: string]: unknown;
  readonly service?: Record<string, unknown>;
  readonly analysis?: Record<string, unknown>;
}

/** A Canary's spec as users write it: `checkout` through Gateway API, 20 % per minute up to 60 %, unless said otherwise. */
export function canaryInput({ service, analysis, ...rest }: CanaryInput = {}): Record<string, unknown> {
  const steps = ["iterations", "stepWeight", "stepWeights"].some((field) => analysis?.[field] !== undefined)
    ? {}
    : { stepWeight: 20, maxWeight: 60 };
  return {
    provider: "gatewayapi:v1",
    targetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "checkout" },
    service: { port: 80, targetPort: 8080, hosts: ["shop.example"], gatewayRefs: [{ name: "public" }], ...service },
    analysis: { metrics: [{ name: "request-success-rate", thresholdRange: { min: 99 } }], ...steps, ...analysis },
    ...rest,
  };
}

/** The spec with its defaults. */
export function canarySpec(input: CanaryInput = {}): CanarySpec {
  return kind.spec.parse(canaryInput(input));
}

const unset = canarySpec({ analysis: { metrics: undefined, stepWeight: undefined, maxWeight: undefined } });
/** How a Canary that sets nothing is judged. */
export const defaultRules: ShareRules = rulesOf(unset.analysis);
/** And what follows from that. */
export const defaultPolicy: Policy = policyOf(unset.analysis, unset);

/** A stored Canary `shop/checkout`. */
export function aCanary(input: CanaryInput = {}, status: CanaryStatus = {}): Canary {
  return {
    apiVersion,
    kind: "Canary",
    metadata: { name: "checkout", namespace: "shop", uid: "canary-uid", generation: 1, resourceVersion: "1" },
    spec: canarySpec(input),
    status,
  };
}

/** The Deployment `shop/checkout` at an image, as the API server stores it. */
export function aDeployment(image = "shop:1", overrides: Record<string, unknown> = {}): KubeObject {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "checkout", namespace: "shop", uid: "target-uid", generation: 1, labels: { app: "checkout" } },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: "checkout" } },
      template: { metadata: { labels: { app: "checkout" } }, spec: { containers: [{ name: "app", image }] } },
      ...overrides,
    },
  };
}
