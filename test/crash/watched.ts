import type { CanaryStatus } from "../../src/api/canary.ts";
import type { KubeObject } from "../../src/api/object.ts";
import type { Revert, RevertStatus } from "../../src/api/revert.ts";
import type { HostedPull } from "../fakes/memory-git-host.ts";
import type { Replica } from "./replica.ts";
import type { Answer } from "./metrics.ts";
import type { Tally } from "./tally.ts";
import type { CrashWorld } from "./world.ts";

/** A promise that was broken. */
export interface Broken {
  /** Which one, in words that stay the same. */
  readonly promise: string;
  readonly detail: string;
}

/** A Revert that held when a Sync began its run. */
export interface Held {
  readonly uid: string | undefined;
  /** Whether the process had been told of it by then. */
  readonly known: boolean;
}

/** What was seen of a world so far, as far as promises depend on it. */
export interface Seen {
  readonly world: CrashWorld;
  /** Revisions that each app's primary may run: those it began with, and those that were analysed. */
  readonly allowed: Map<string, Set<string>>;
  /** Reverts that held when the Sync began what it is doing, by name. */
  readonly heldAtBegin: Map<string, Held>;
  /** Whether the Sync does something in this run: it is not suspended, and its process has a commit to work by. */
  syncWorks: boolean;
  /** What happened, to be counted. */
  readonly tally: Tally;
  /** Revisions that an app's primary was made of, before anything could be analysed. */
  readonly first: Set<string>;
  /** Branches whose pull request a person closed, with how often their Revert had ended by then. */
  readonly closedByPerson: Map<string, number>;
  /** How often each Revert has ended, other than by being declined. */
  readonly ends: Map<string, number>;
  /** How often each Revert has begun to hold. */
  readonly begins: Map<string, number>;
  /** How often their Revert had begun to hold when a pull request was last made for these branches. */
  readonly proposedIn: Map<string, number>;
  /** The process that writes. */
  replica: Replica | undefined;
  /** People, the cluster or the host are at work, not controllers. */
  othersAtWork: boolean;
  /** Pull requests as they were when last looked at. */
  pulls: readonly HostedPull[];
  broken: Broken | undefined;
}

/** Remembers the first promise that was broken. */
export function fail(seen: Seen, promise: string, detail: string): void {
  seen.broken ??= { promise, detail };
}

const group = "serin.dev/v1beta1";
/** Kinds that promises are about. */
export const kinds = {
  canary: { apiVersion: group, kind: "Canary" },
  revert: { apiVersion: group, kind: "Revert" },
  sync: { apiVersion: group, kind: "Sync" },
  repository: { apiVersion: group, kind: "GitRepository" },
  deployment: { apiVersion: "apps/v1", kind: "Deployment" },
  record: { apiVersion: "apps/v1", kind: "ControllerRevision" },
  configMap: { apiVersion: "v1", kind: "ConfigMap" },
} as const;

/** The stored object of this name. */
export function named({ kube }: CrashWorld, kind: (typeof kinds)[keyof typeof kinds], name: string | undefined): KubeObject | undefined {
  return kube.objects(kind).find(({ metadata }) => metadata.name === name);
}

/** Status of a stored Canary. */
export function statusOf(canary: KubeObject | undefined): CanaryStatus {
  return (canary?.["status"] ?? {}) as CanaryStatus;
}

/** Status of a stored Revert. */
export function revertStatus(revert: KubeObject | undefined): RevertStatus {
  return (revert?.["status"] ?? {}) as RevertStatus;
}

/** Spec of a stored Revert. */
export function revertSpec(revert: KubeObject): Revert["spec"] {
  return revert["spec"] as Revert["spec"];
}

/** Whether a stored Revert keeps its change out of the cluster. */
export function holds(revert: KubeObject): boolean {
  return revert.metadata.deletionTimestamp === undefined && !isOver(revert);
}

/** Whether a stored Revert has ended. */
export function isOver(revert: KubeObject | undefined): boolean {
  const { phase } = revertStatus(revert);
  return phase === "Merged" || phase === "Declined" || phase === "Superseded";
}

/** Whether a release failed by what the metric server said of it. */
export function isMeasured(reason: string | undefined): boolean {
  return reason === "CheckFailed" || reason === "EvidenceAgainst";
}

/** What the metric server said last of a Deployment. */
export function lastAnswer({ world }: Seen, deployment: string): Answer | undefined {
  return world.answers.findLast((answer) => answer.deployment === deployment);
}

/** The last thing that it said which was a number. */
export function lastNumber({ world }: Seen, deployment: string): Answer | undefined {
  return world.answers.findLast((answer) => answer.deployment === deployment && answer.bad !== undefined);
}

/** A Deployment's spec, as far as it is looked at. */
export interface DeploymentSpec {
  readonly replicas?: number;
  readonly template: {
    readonly metadata: { readonly annotations?: Readonly<Record<string, string>>; readonly labels?: Readonly<Record<string, string>> };
    readonly spec: { readonly containers: readonly { readonly image: string }[] };
  };
}

/** Spec of a stored Deployment. */
export function specOf(deployment: KubeObject): DeploymentSpec {
  return deployment["spec"] as unknown as DeploymentSpec;
}

/** Image of its container. */
export function imageOf(deployment: KubeObject): string {
  return specOf(deployment).template.spec.containers[0]?.image ?? "";
}
