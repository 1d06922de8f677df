import type { Canary } from "../../api/canary.ts";
import type { RevisionContent } from "../../api/cause.ts";
import { names } from "../../api/meta.ts";
import type { KubeObject } from "../../api/object.ts";
import type { Gates, Health, Seen } from "../../canary/decide.ts";
import { healthOf, serves } from "../../canary/health.ts";
import { contentOf, historyOf, type PastRevision } from "../../canary/history.ts";
import { isMade, isOurs } from "../../canary/owned.ts";
import { type Revision, revisionOf } from "../../canary/revision.ts";
import { apexName } from "../../canary/services.ts";
import type { Facts } from "../../canary/status.ts";
import { commitOf, isComplete, keptName, type Live, primaryName, primaryRevision, revisionAnnotation } from "../../canary/workloads.ts";
import type { Digest } from "../../lib/digest.ts";
import { isRecord, sameJson } from "../../lib/json.ts";
import type { Router } from "../../routing/router.ts";
import { type Cluster, kindsRead } from "./cluster.ts";
import type { CanaryDeps } from "./deps.ts";
import { routerOf } from "./provider.ts";
import type { ShareAnswer } from "./share.ts";
import type { UnreadyTimes } from "./unready.ts";

/** Everything that one reconcile of a Canary knows of the cluster. */
export interface Observation {
  readonly seen: Seen;
  /** Of the requests of both versions; missing: they were not read. */
  readonly shares?: ShareAnswer | undefined;
  /** Stands for the values of Secrets in revisions. */
  readonly digest: Digest;
  readonly facts: Facts;
  readonly target: KubeObject | undefined;
  readonly primary: KubeObject | undefined;
  /** What the target says now; `undefined`: there is no target. */
  readonly revision: Revision | undefined;
  readonly history: readonly PastRevision[];
  /** The apex Service is the user's own. */
  readonly apexAdopted: boolean;
  readonly router: Router;
  /** The user's objects that the router needs. */
  readonly inputs: readonly KubeObject[];
  /** The router's objects as they are. */
  readonly routes: readonly KubeObject[];
}

/** Answers of metric servers, hooks and the API server that the shared copies do not hold. */
export type Asked = Pick<Seen, "check" | "declined" | "held"> & {
  readonly gates: Gates;
  readonly digest: Digest;
  readonly shares?: ShareAnswer | undefined;
};

/** Reads the shared copies of the cluster; costs no request. Throws StalledError for a Canary that cannot be acted upon at all. */
export function observe(
  deps: Pick<CanaryDeps, "clock" | "defaults" | "routers"> & { readonly unready: UnreadyTimes },
  cluster: Cluster,
  canary: Canary,
  { digest, shares, ...asked }: Asked,
): Observation {
  const { namespace } = canary.metadata;
  const nowMs = deps.clock.nowMs();
  const target = cluster.find({ ...kindsRead.deployment, namespace, name: canary.spec.targetRef.name });
  const primary = cluster.find({ ...kindsRead.deployment, namespace, name: primaryName(canary) });
  const revision = target && revisionOf(target, (kind, name) => cluster.config(kind, namespace, name), digest);
  const router = deps.routers[routerOf(deps.defaults, canary)];
  const routes = router.outputs(canary).flatMap((ref) => cluster.find(ref) ?? []);
  const apex = cluster.find({ ...kindsRead.service, namespace, name: apexName(canary) });
  const history = historyOf(canary, cluster.labelled("record", canary));
  const trackedContent = pinned({ history, revision }, canary.status.trackedRevision);
  const healths = {
    canary: health(cluster, {
      deployment: target,
      threshold: canary.spec.analysis.canaryReadyThreshold,
      nowMs,
      expected: canary.status.targetReplicas ?? 1,
    }),
    primary: primaryHealth(cluster, canary, { primary, nowMs, unreadyMs: deps.unready.until(canary).primary }),
  };
  const seen: Seen = {
    ...asked,
    share: shares?.look,
    nowMs,
    revision: revision?.id,
    ...healths,
    unreadyMs: deps.unready.note(canary, healths),
    primaryServes: serves(primary),
    notRouted: router.notAccepted(routes),
    canaryGone: podsOf(target) === 0,
    onlyConfigs: trackedContent !== undefined && revision !== undefined && sameJson(trackedContent.template, revision.content.template),
    complete: trackedContent === undefined || isComplete(trackedContent, { secrets: secretsOf(cluster, canary), digest }),
    deleting: canary.metadata.deletionTimestamp !== undefined,
  };
  return {
    seen,
    shares,
    digest,
    facts: factsOf(cluster, canary, { seen, target, revision }),
    target,
    primary,
    revision,
    history,
    apexAdopted: apex !== undefined && !isMade(canary, apex),
    router,
    inputs: router.inputs(canary).flatMap((ref) => cluster.find(ref) ?? []),
    routes,
  };
}

interface Part {
  readonly deployment: KubeObject | undefined;
  readonly threshold: number;
  readonly expected?: number;
  readonly patience?: { readonly deadlineMs: number; readonly unreadyMs: number };
  readonly nowMs: number;
}

function health(cluster: Cluster, part: Part): Health {
  const replicaSets = part.deployment ? cluster.controlledBy("replicaSet", part.deployment) : [];
  const pods = replicaSets.flatMap((replicaSet) => cluster.controlledBy("pod", replicaSet));
  return healthOf({ ...part, replicaSets, pods });
}

/** The shared copy may be older than our last write: only a primary that carries its revision's name can be ready with it. */
function primaryHealth(
  cluster: Cluster,
  canary: Canary,
  { primary, nowMs, unreadyMs }: { primary: KubeObject | undefined; nowMs: number; unreadyMs: number },
): Health {
  const live = health(cluster, {
    deployment: primary,
    threshold: canary.spec.analysis.primaryReadyThreshold,
    patience: { deadlineMs: canary.spec.progressDeadlineSeconds * 1_000, unreadyMs },
    nowMs,
  });
  const wanted = primaryRevision(canary.status);
  if (!primary || wanted === undefined || runs(primary) === wanted) return live;
  return { state: "progressing", reason: "RevisionNotApplied", message: "the primary does not have its revision yet", commitsFault: false };
}

function runs(primary: KubeObject): unknown {
  return at(primary, ["spec", "template", "metadata", "annotations", revisionAnnotation]);
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, field) => (isRecord(inner) ? inner[field] : undefined), value);
}

function factsOf(cluster: Cluster, canary: Canary, { seen, target, revision }: Pick<Observation, "seen" | "target" | "revision">): Facts {
  return {
    seen,
    generation: canary.metadata.generation ?? 0,
    requestedAt: canary.metadata.annotations?.[names.requestedAt],
    commit: commitOf(target),
    configs: revision?.checksums ?? {},
    targetReplicas: replicasToKeep(autoscalerOf(cluster, canary), target),
    replicasInGit: canary.spec.autoscalerRef ? undefined : replicasInGit(target),
  };
}

/** Replicas that the target shall have in a run: as many as now, else what its autoscaler starts with, else one. */
function replicasToKeep(autoscaler: KubeObject | undefined, target: KubeObject | undefined): number {
  const now = Number(at(target, ["spec", "replicas"]) ?? 1);
  return now > 0 ? now : Math.max(1, Number(at(autoscaler, ["spec", "minReplicas"]) ?? 1));
}

/** What Git says, which Sync no longer applies. Zero is not taken for a wish: a primary without pods is an outage. */
function replicasInGit(target: KubeObject | undefined): number | undefined {
  const replicas = Number(target?.metadata.annotations?.[names.replicas]);
  return Number.isInteger(replicas) && replicas > 0 ? replicas : undefined;
}

function autoscalerOf(cluster: Cluster, { metadata, spec }: Canary): KubeObject | undefined {
  return spec.autoscalerRef && cluster.find({ ...kindsRead.autoscaler, namespace: metadata.namespace, name: spec.autoscalerRef.name });
}

/** What the wanted objects are made from, once the next status is known. */
export function liveFor(cluster: Cluster, canary: Canary, { target, primary, apexAdopted, seen, digest, ...rest }: Observation): Live {
  return {
    nowMs: seen.nowMs,
    digest,
    target,
    primary,
    autoscaler: autoscalerOf(cluster, canary),
    apexAdopted,
    content: pinned(rest, primaryRevision(canary.status)),
    promoted: pinned(rest, canary.status.promotedRevision),
    copyName: copyNames(cluster, canary),
    secrets: secretsOf(cluster, canary),
  };
}

/** The Secret itself, the primary's copy of it, and what was kept aside. */
function secretsOf(cluster: Cluster, canary: Canary): Live["secrets"] {
  const copyName = copyNames(cluster, canary);
  return (name) => {
    const copy = copyName("Secret", name);
    return [name, copy, keptName(copy)].flatMap((each) => cluster.config("Secret", canary.metadata.namespace, each) ?? []);
  };
}

/** Pods that the target wants or still has, as it says. */
function podsOf(target: KubeObject | undefined): number {
  return Number(at(target, ["spec", "replicas"]) ?? 0) + Number(at(target, ["status", "replicas"]) ?? 0);
}

/** What a revision consists of: from the history, or as just seen. */
export function pinned(
  { history, revision }: Pick<Observation, "history" | "revision">,
  id: string | undefined,
): RevisionContent | undefined {
  return contentOf(history, id) ?? (revision?.id === id ? revision?.content : undefined);
}

/** `<name>-primary`, unless that is somebody else's: another Canary may use the same config at another revision. */
function copyNames(cluster: Cluster, canary: Canary): Live["copyName"] {
  const { namespace } = canary.metadata;
  return (kind, name) => {
    const [usual, own] = [`${name}-primary`, `${canary.spec.targetRef.name}-${name}-primary`];
    const [live, ownLive] = [cluster.config(kind, namespace, usual), cluster.config(kind, namespace, own)];
    const taken = live !== undefined && !isOurs(canary, live);
    return taken || (ownLive !== undefined && isOurs(canary, ownLive)) ? own : usual;
  };
}
