import { apiVersion } from "../../src/api/meta.ts";
import type { KubeObject } from "../../src/api/object.ts";

/** The least that each kind accepts. A kind without an entry fails the tests. */
const specs: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  GitRepository: { url: "https://git.example/shop.git", interval: "1m" },
  Sync: { sourceRef: { name: "shop" }, interval: "10m", prune: true },
  Canary: {
    targetRef: { kind: "Deployment", name: "checkout" },
    service: { port: 80 },
    analysis: { stepWeight: 10, metrics: [{ name: "request-success-rate" }] },
  },
  MetricTemplate: { provider: { type: "prometheus", address: "http://prometheus.example" }, query: "vector(1)" },
  Revert: {
    canaryRef: { name: "checkout" },
    syncRef: { name: "shop" },
    cause: [{ object: "Deployment/checkout", path: "spec.template", decides: true }],
  },
};

/** A valid object of this kind with nothing in it that could be left out. */
export function leastOf(kind: string, name: string, namespace: string): KubeObject & { readonly spec: Record<string, unknown> } {
  const spec = specs[kind];
  if (!spec) throw new Error(`test/bad-input/valid.ts has no least valid ${kind}; add one`);
  return { apiVersion, kind, metadata: { namespace, name }, spec: structuredClone(spec) };
}
