import type { Canary } from "../api/canary.ts";
import type { KubeObject, ObjectRef } from "../api/object.ts";
import { StalledError } from "../lib/errors.ts";
import { isRecord } from "../lib/json.ts";
import { apexName, sideName } from "./names.ts";
import type { Router, TrafficSplit } from "./router.ts";

const kind = { apiVersion: "networking.k8s.io/v1", kind: "Ingress" } as const;
const prefix = "nginx.ingress.kubernetes.io/";
const weightAnnotation = `${prefix}canary-weight`;
/** Annotations that say something about the Ingress itself, not about its traffic. */
const notCopied = [
  "kubectl.kubernetes.io/",
  "serin.dev/",
  "kustomize.toolkit.fluxcd.io/",
  "helm.toolkit.fluxcd.io/",
  "meta.helm.sh/",
  "argocd.argoproj.io/",
];

/** ingress-nginx: a second Ingress `<ingress>-canary` whose annotations take a share of the first one's requests. */
export const nginx: Router = {
  inputs: (canary) => [ingressRef(canary)],
  outputs: (canary) => [{ ...ingressRef(canary), name: `${ingressRef(canary).name}-canary` }],
  routes: (canary, split, [ingress]) => [canaryIngress(canary, split, found(canary, ingress))],
  // The user's Ingress points at the apex Service all the time.
  restored: () => [],
  split: ([live]) => {
    const weight = live?.metadata.annotations?.[weightAnnotation];
    return weight === undefined || !/^\d+$/.test(weight) ? undefined : { primary: 100 - Number(weight), canary: Number(weight) };
  },
  // ingress-nginx does not say whether it has taken up an Ingress.
  notAccepted: ([live]) => (live ? undefined : "the canary Ingress does not exist yet"),
};

function ingressRef({ metadata, spec }: Canary): ObjectRef & { name: string } {
  if (spec.ingressRef) return { ...kind, namespace: metadata.namespace, name: spec.ingressRef.name };
  throw new StalledError("IngressMissing", `Canary ${metadata.namespace}/${metadata.name}: spec.ingressRef must name the Ingress for provider nginx`);
}

function found(canary: Canary, ingress: KubeObject | undefined): KubeObject {
  if (ingress) return ingress;
  const { namespace, name } = ingressRef(canary);
  throw new StalledError("IngressMissing", `Ingress ${namespace}/${name}: not found, though spec.ingressRef of Canary ${namespace}/${canary.metadata.name} names it`);
}

function canaryIngress(canary: Canary, split: TrafficSplit, ingress: KubeObject): KubeObject {
  const redirect = redirected(ingress["spec"], { from: apexName(canary), to: sideName(canary, "canary") });
  if (redirect.count === 0) {
    const { namespace, name } = ingress.metadata;
    throw new StalledError("IngressWithoutApex", `Ingress ${namespace}/${name}: no backend names the Service ${apexName(canary)}, whose traffic shall be split`);
  }
  return {
    ...kind,
    metadata: {
      name: `${ingress.metadata.name}-canary`,
      namespace: ingress.metadata.namespace,
      annotations: { ...copiedAnnotations(ingress), [`${prefix}canary`]: "true", [weightAnnotation]: String(split.canary) },
    },
    spec: redirect.value,
  };
}

function copiedAnnotations({ metadata }: KubeObject): Record<string, string> {
  const copied = Object.entries(metadata.annotations ?? {}).filter(
    ([key]) => !notCopied.some((start) => key.startsWith(start)) && key !== `${prefix}canary` && !key.startsWith(`${prefix}canary-`),
  );
  return Object.fromEntries(copied);
}

interface Redirected {
  readonly value: unknown;
  readonly count: number;
}

/** The Ingress' spec with each backend that names one Service naming the other, and how many there were. */
function redirected(value: unknown, names: { from: string; to: string }): Redirected {
  if (Array.isArray(value)) {
    const items = value.map((item) => redirected(item, names));
    return { value: items.map((item) => item.value), count: total(items) };
  }
  if (!isRecord(value)) return { value, count: 0 };
  const fields = Object.entries(value).map(
    ([field, inner]) =>
      [field, isService(field, inner, names.from) ? { value: { ...inner, name: names.to }, count: 1 } : redirected(inner, names)] as const,
  );
  return {
    value: Object.fromEntries(fields.map(([field, inner]) => [field, inner.value])),
    count: total(fields.map(([, inner]) => inner)),
  };
}

function isService(field: string, value: unknown, name: string): value is Record<string, unknown> {
  return field === "service" && isRecord(value) && value["name"] === name;
}

function total(items: readonly Redirected[]): number {
  return items.reduce((sum, { count }) => sum + count, 0);
}
