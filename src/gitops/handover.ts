import type { Canary } from "../api/canary.ts";
import { managers, names } from "../api/meta.ts";
import { describeRef, type KubeObject, keyOf, type ObjectRef, refOf } from "../api/object.ts";
import { StalledError } from "../lib/errors.ts";
import { isRecord } from "../lib/json.ts";
import { entryId } from "./inventory.ts";
import { owns } from "./fields.ts";

/** What a Canary makes its own of an object that Git describes too. */
interface Claim {
  readonly ref: ObjectRef;
  /** Fields below spec. */
  readonly fields: readonly string[];
  /** The Canary has taken its target over. */
  readonly begun: boolean;
}

/** The manifests without what Canaries own by now. */
interface HandedOver {
  readonly objects: readonly KubeObject[];
  /** Ids of objects that a Canary may take fields of at any moment: write them only in the version that was looked at. */
  readonly shared: ReadonlySet<string>;
  /** Apex Services from which selector and ports were left out. */
  readonly adopted: readonly ObjectRef[];
}

/**
 * Leaves out what a Canary has taken over: `spec.replicas` of its target, which become an annotation for it, `selector` and
 * `ports` of an apex Service in Git.
 * Only once the Canary owns them in the cluster, so that no field is ever without an owner in between.
 */
export function handOver(
  objects: readonly KubeObject[],
  canaries: readonly Canary[],
  live: (ref: ObjectRef) => KubeObject | undefined,
): HandedOver {
  const claims = new Map(canaries.flatMap(claimsOf).map((claim) => [entryId(claim.ref), claim]));
  const adopted: ObjectRef[] = [];
  const handed = objects.map((object) => {
    const ref = refOf(object);
    const claim = claims.get(entryId(ref));
    const taken = claim ? takenFields(claim, live(ref)) : [];
    if (taken.length === 0 || !isRecord(object["spec"])) return object;
    if (ref.kind === "Service") adopted.push(ref);
    const spec = Object.fromEntries(Object.entries(object["spec"]).filter(([field]) => !taken.includes(field)));
    return taken.includes("replicas") ? withReplicasNoted(object, spec) : { ...object, spec };
  });
  return { objects: handed, shared: new Set(claims.keys()), adopted };
}

/** What Git says of the replicas still counts: the Canary gives it to the primary. */
function withReplicasNoted(object: KubeObject, spec: Readonly<Record<string, unknown>>): KubeObject {
  const replicas = isRecord(object["spec"]) ? object["spec"]["replicas"] : undefined;
  if (typeof replicas !== "number") return { ...object, spec };
  const { metadata } = object;
  return { ...object, metadata: { ...metadata, annotations: { ...metadata.annotations, [names.replicas]: String(replicas) } }, spec };
}

/** What Canaries own by now, as texts: when they change, the manifests have to be handed over anew. */
export function handedOverFacts(canaries: readonly Canary[], live: (ref: ObjectRef) => KubeObject | undefined): string[] {
  const facts = canaries
    .flatMap(claimsOf)
    .flatMap((claim) => takenFields(claim, live(claim.ref)).map((field) => `${entryId(claim.ref)} ${field}`));
  return facts.sort();
}

/** Throws StalledError naming both when Git describes an object that a Canary makes by itself. */
export function refuseGenerated(objects: readonly KubeObject[], canaries: readonly Canary[], placeOf: (ref: ObjectRef) => string): void {
  const generated = new Map(canaries.flatMap((canary) => generatedBy(canary).map((id) => [id, canary] as const)));
  for (const object of objects) {
    const ref = refOf(object);
    const canary = generated.get(entryId(ref));
    if (!canary) continue;
    throw new StalledError(
      "GeneratedByCanary",
      `${describeRef(ref)} (${placeOf(ref)}) is made by Canary/${keyOf(canary.metadata)}; remove it from the repository or give it another name`,
    );
  }
}

/** Ids of the objects of which the Canary makes fields its own. */
export function claimedIds(canary: Canary): string[] {
  return claimsOf(canary).map(({ ref }) => entryId(ref));
}

/** Ids of the objects that the Canary makes by itself. */
export function generatedIds(canary: Canary): string[] {
  return generatedBy(canary);
}

/** Name of the Service that clients use. */
export function apexName({ spec: { service, targetRef } }: Canary): string {
  return service.name ?? targetRef.name;
}

/** The Deployment that a Canary rolls out. */
export function targetOf({ spec: { targetRef }, metadata: { namespace } }: Canary): ObjectRef {
  return { ...targetRef, namespace };
}

function claimsOf(canary: Canary): Claim[] {
  const { metadata: { namespace }, status } = canary;
  const begun = status.phase !== undefined && status.phase !== "Initializing";
  return [
    { ref: targetOf(canary), fields: ["replicas"], begun },
    { ref: { apiVersion: "v1", kind: "Service", namespace, name: apexName(canary) }, fields: ["selector", "ports"], begun },
  ];
}

/** Also those that somebody took from the Canary, e.g. an autoscaler: they were handed over once and are not Sync's any more. */
function takenFields({ fields, begun }: Claim, live: KubeObject | undefined): string[] {
  if (!live) return [];
  const isOwnedBy = (manager: string, field: string): boolean => owns(live, manager, ["f:spec", `f:${field}`]);
  const spec = isRecord(live["spec"]) ? live["spec"] : {};
  const isHandedOver = (field: string): boolean => begun && spec[field] !== undefined && !isOwnedBy(managers.sync, field);
  return fields.filter((field) => isOwnedBy(managers.canary, field) || isHandedOver(field));
}

function generatedBy(canary: Canary): string[] {
  const { namespace } = canary.metadata;
  const apex = apexName(canary);
  const services = ["primary", "canary"].map((role) => entryId({ apiVersion: "v1", kind: "Service", namespace, name: `${apex}-${role}` }));
  if (canary.spec.provider === "nginx") return services;
  return [...services, entryId({ apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute", namespace, name: apex })];
}
