import type { Canary, CanaryStatus } from "../api/canary.ts";
import { configAsWritten, type RevisionContent } from "../api/cause.ts";
import { names } from "../api/meta.ts";
import type { KubeObject } from "../api/object.ts";
import type { Digest } from "../lib/digest.ts";
import { isRecord, sameJson } from "../lib/json.ts";
import { type ConfigKind, renameConfigs } from "./configs.ts";
import type { Phase } from "./decide.ts";
import { owned } from "./owned.ts";
import { dataOf, splitKey } from "./revision.ts";
import { relabel, type Selectors, selectorsOf } from "./selector.ts";
import { apexService, sideServices } from "./services.ts";
import { drained } from "./steps.ts";

/** On the primary's pods: the revision they run. Rolls them when only a config changed. */
export const revisionAnnotation = "serin.dev/revision";

/** The live objects that the wanted ones are made from. */
export interface Live {
  readonly nowMs: number;
  /** `undefined`: there is no target. */
  readonly target: KubeObject | undefined;
  readonly primary: KubeObject | undefined;
  /** The object that `autoscalerRef` names. */
  readonly autoscaler: KubeObject | undefined;
  /** The apex Service is the user's own. */
  readonly apexAdopted: boolean;
  /** What the revision that the primary shall run consists of; `undefined`: not known, the primary is left as it is. */
  readonly content: RevisionContent | undefined;
  /** What the promoted revision consists of; kept aside while another one is copied to the primary. */
  readonly promoted: RevisionContent | undefined;
  /** All Secrets of this name and of its copies: a value is taken from the one whose digest fits. */
  readonly secrets: (name: string) => readonly KubeObject[];
  /** Stands for the values of Secrets in revisions. */
  readonly digest: Digest;
  /** Name of the primary's copy of a config; not `<name>-primary` where that is somebody else's. */
  readonly copyName: (kind: ConfigKind, name: string) => string;
}

/** The revision whose content belongs on the primary: the analysed one from its promotion on, never a newer one. */
export function primaryRevision({ phase, trackedRevision, promotedRevision }: CanaryStatus): string | undefined {
  return phase === "Promoting" ? trackedRevision : promotedRevision;
}

/**
 * The objects that make the cluster follow the status, beside the routes: copies of configs, Services, primary,
 * autoscaler, and last the target's replicas. Pure. Throws StalledError for a target that cannot be doubled.
 */
export function workloads(canary: Canary, status: CanaryStatus, live: Live): KubeObject[] {
  if (!live.target) return [];
  const selectors = selectorsOf(live.target);
  return [
    ...keptSecrets(canary, status, live),
    ...configCopies(canary, live.content, live),
    ...services(canary, status, { ...live, selectors }),
    ...(live.content ? [primaryDeployment(canary, status, { ...live, target: live.target, content: live.content, selectors })] : []),
    ...autoscalerCopy(canary, live),
    targetReplicas(canary, status, { ...live, target: live.target }),
  ];
}

/** Name of the primary's workload. */
export function primaryName({ spec }: Canary): string {
  return `${spec.targetRef.name}-primary`;
}

function services(
  canary: Canary,
  { phase, canaryWeight }: CanaryStatus,
  { selectors, apexAdopted }: Live & { selectors: Selectors },
): KubeObject[] {
  const sides = sideServices(canary, selectors);
  // Before the primary serves, the apex Service stays as it is: users must not notice.
  if (phase === undefined || phase === "Initializing") return sides;
  const givenBack = phase === "Terminating" && canaryWeight === 100;
  return [...sides, apexService(canary, selectors, { side: givenBack ? "target" : "primary", outlives: givenBack || apexAdopted })];
}

function primaryDeployment(
  canary: Canary,
  status: CanaryStatus,
  { target, primary, content, selectors, copyName }: Live & { target: KubeObject; content: RevisionContent; selectors: Selectors },
): KubeObject {
  const { replicas: _replicas, template: _template, selector: _selector, paused: _paused, ...rest } = specOf(target);
  const renamed = renameConfigs(content.template, (kind, name) => (content.configs[`${kind}/${name}`] ? copyName(kind, name) : name));
  const template = annotated(relabel(renamed, selectors), primaryRevision(status) ?? "");
  const head = owned(canary, { apiVersion: "apps/v1", kind: "Deployment", name: primaryName(canary) });
  const labels = { ...head.metadata.labels, [selectors.label]: selectors.primary[selectors.label] ?? "" };
  const scaled = canary.spec.autoscalerRef && primary ? specOf(primary)["replicas"] : undefined;
  const replicas = scaled ?? status.targetReplicas ?? 1;
  return {
    ...head,
    metadata: { ...head.metadata, labels },
    spec: { ...rest, replicas, selector: selectorOf(target, selectors), template },
  };
}

function selectorOf(target: KubeObject, { primary }: Selectors): Record<string, unknown> {
  const selector = specOf(target)["selector"];
  return { ...(isRecord(selector) ? selector : {}), matchLabels: primary };
}

function annotated(template: Record<string, unknown>, revision: string): Record<string, unknown> {
  const metadata = isRecord(template["metadata"]) ? template["metadata"] : {};
  const annotations = isRecord(metadata["annotations"]) ? metadata["annotations"] : {};
  const { creationTimestamp: _, ...kept } = metadata;
  return { ...template, metadata: { ...kept, annotations: { ...annotations, [revisionAnnotation]: revision } } };
}

function configCopies(canary: Canary, content: RevisionContent | undefined, { secrets, copyName, digest }: Live): KubeObject[] {
  return Object.entries(content?.configs ?? {}).flatMap(([key, data]) => {
    const [kind, name] = splitKey(key);
    const copy = copyName(kind, name);
    return kind === "ConfigMap" ? [configMapCopy(canary, copy, data)] : secretCopy(canary, { copy, data, from: secrets(name), digest });
  });
}

function configMapCopy(canary: Canary, name: string, data: Readonly<Record<string, string>>): KubeObject {
  const { data: plain, binaryData } = configAsWritten(data);
  return {
    ...owned(canary, { apiVersion: "v1", kind: "ConfigMap", name }),
    data: plain,
    ...(Object.keys(binaryData).length === 0 ? {} : { binaryData }),
  };
}

/** The copy, with the values of whichever live Secret has these digests; nothing when none has them any more. */
function secretCopy(
  canary: Canary,
  {
    copy,
    data,
    from,
    digest,
  }: { copy: string; data: Readonly<Record<string, string>>; from: readonly KubeObject[] } & Pick<Live, "digest">,
): KubeObject[] {
  const source = from.find((secret) => sameJson(dataOf(secret, digest), data));
  if (!source) return [];
  return [
    { ...owned(canary, { apiVersion: "v1", kind: "Secret", name: copy }), type: source["type"] ?? "Opaque", data: source["data"] ?? {} },
  ];
}

/** While a promotion overwrites the primary's Secrets, the promoted values are kept aside: it may have to go back. */
function keptSecrets(canary: Canary, { phase }: CanaryStatus, { promoted, secrets, copyName, digest }: Live): KubeObject[] {
  if (phase !== "Promoting") return [];
  return Object.entries(promoted?.configs ?? {}).flatMap(([key, data]) => {
    const [kind, name] = splitKey(key);
    return kind === "Secret" ? secretCopy(canary, { copy: keptName(copyName(kind, name)), data, from: secrets(name), digest }) : [];
  });
}

/** Name under which the promoted values of a Secret's copy are kept aside. */
export function keptName(copy: string): string {
  return `${copy}-previous`;
}

/** Whether every Secret of the revision is still to be had, so that the primary can run exactly this. */
export function isComplete(content: RevisionContent, { secrets, digest }: Pick<Live, "secrets" | "digest">): boolean {
  return Object.entries(content.configs).every(([key, data]) => {
    const [kind, name] = splitKey(key);
    return kind === "ConfigMap" || secrets(name).some((secret) => sameJson(dataOf(secret, digest), data));
  });
}

function autoscalerCopy(canary: Canary, { autoscaler }: Live): KubeObject[] {
  if (!autoscaler || !canary.spec.autoscalerRef) return [];
  const { apiVersion, kind, name } = canary.spec.autoscalerRef;
  const spec = specOf(autoscaler);
  const scaleTargetRef = { ...(isRecord(spec["scaleTargetRef"]) ? spec["scaleTargetRef"] : {}), name: primaryName(canary) };
  return [{ ...owned(canary, { apiVersion, kind, name: `${name}-primary` }), spec: { ...spec, scaleTargetRef } }];
}

/** The target with nothing but its replicas: all else of it is the user's. */
function targetReplicas(canary: Canary, status: CanaryStatus, { target, nowMs }: Live & { target: KubeObject }): KubeObject {
  const { apiVersion, kind, name } = canary.spec.targetRef;
  const live = Number(specOf(target)["replicas"] ?? 1);
  const { uid } = target.metadata;
  return {
    apiVersion,
    kind,
    // One that was deleted meanwhile is not to be made anew, and its successor's replicas have to be looked at first.
    metadata: { name, namespace: canary.metadata.namespace, ...(uid === undefined ? {} : { uid }) },
    spec: { replicas: wantedReplicas[status.phase ?? "Initializing"]({ canary, status, live, nowMs }) },
  };
}

interface Replicas {
  readonly canary: Canary;
  readonly status: CanaryStatus;
  /** Replicas that the target has now. */
  readonly live: number;
  readonly nowMs: number;
}

// The hand-over: the value as it is, under our name.
const asTheyAre = ({ live }: Replicas) => live;
const none = () => 0;
const noneOnceDrained = ({ status, live, nowMs }: Replicas) => ((status.canaryWeight ?? 0) === 0 && drained(status, nowMs) ? 0 : live);
// An autoscaler of the target has its own idea of how many once there is one.
const all = ({ canary, status, live }: Replicas) => (canary.spec.autoscalerRef && live > 0 ? live : (status.targetReplicas ?? 1));

/** How many pods of the target each phase wants. */
const wantedReplicas: Record<Phase, (replicas: Replicas) => number> = {
  Initializing: asTheyAre,
  Initialized: noneOnceDrained,
  Waiting: none,
  Progressing: all,
  WaitingPromotion: all,
  Promoting: all,
  Finalising: all,
  Succeeded: noneOnceDrained,
  Failed: noneOnceDrained,
  Terminating: all,
};

function specOf(object: KubeObject): Readonly<Record<string, unknown>> {
  return isRecord(object["spec"]) ? object["spec"] : {};
}

/** The commit that last changed an object, as Sync wrote it. */
export function commitOf(object: KubeObject | undefined): string | undefined {
  return object?.metadata.annotations?.[names.commit];
}
