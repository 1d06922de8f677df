import type { Canary } from "../../api/canary.ts";
import type { GitRepository } from "../../api/git-repository.ts";
import type { KubeObject } from "../../api/object.ts";
import type { Sync } from "../../api/sync.ts";
import type { Events, Kube } from "../../kube/kube.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Logger } from "../../lib/log.ts";
import type { Held, Hold } from "../../revert/hold.ts";
import type { Resources } from "../resources.ts";
import type { Live } from "./live.ts";
import type { Rendering } from "./render.ts";

/** What is held back from a Sync now. @param rendered the objects, rendered only when asked for */
type HoldsOf = (sync: Sync, rendered: () => Promise<readonly KubeObject[]>, signal: AbortSignal) => Promise<readonly Hold[]>;

/** What a Sync has written: how long that took, and how many objects were put back to what Git says. */
interface Written {
  readonly corrected: number;
  readonly durationMs: number;
}

/** Told of what Syncs do, for metrics. Its methods must be cheap and must not throw. */
export interface SyncObserver {
  wrote(sync: SyncName, written: Written): void;
  /** The cluster is as this revision of the source says, whether or not that brought anything new. */
  isAt(sync: SyncName, revision: string): void;
}

interface SyncName {
  readonly namespace: string;
  readonly name: string;
}

/** What the Sync controller needs. */
export interface SyncDeps {
  readonly kube: Kube;
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Logger;
  readonly syncs: Resources<Sync>;
  readonly repositories: Resources<GitRepository>;
  readonly canaries: Resources<Canary>;
  /** Shared with nobody but the Sync controller's watches. */
  readonly live: Live;
  readonly rendering: Rendering;
  readonly holdsOf: HoldsOf;
  readonly applyHolds: (objects: readonly KubeObject[], holds: readonly Hold[]) => Held;
  /** Runs before a Sync first writes anything: adopts what an earlier cluster left in Git. Throws to keep it from writing. */
  readonly beforeFirstApply: (sync: Sync, repository: GitRepository, signal: AbortSignal) => Promise<void>;
  readonly syncObserver?: SyncObserver | undefined;
  /** `serviceAccount`: in the Sync's namespace, as which Syncs write that name none; missing: as the controller itself. */
  readonly defaults?: { readonly serviceAccount?: string | undefined };
}
