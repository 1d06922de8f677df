import type { KubeObject, ObjectRef } from "../../src/api/object.ts";
import type { StoredChange } from "../fakes/memory-kube.ts";
import { checkPulls, onMoved, onRevert, revertOf } from "./proposal-promises.ts";
import { afterRun, onCanary, onCopy, onDeployment, onRoute } from "./release-promises.ts";
import type { Replica } from "./replica.ts";
import { afterSync, onApplied, onDelete, onSync, onSyncBegins, onTarget } from "./sync-promises.ts";
import { emptyTally, type Tally } from "./tally.ts";
import { type Broken, isOver, kinds, named, type Seen, statusOf } from "./watched.ts";
import type { CrashWorld } from "./world.ts";

/** Somebody who watches a world and knows what Serin promises. */
export interface Watch {
  /** Told before a controller begins to work on an object. */
  begins(kind: string, key: string, replica: Replica): void;
  /** Told when it is done, with the error it ended with. */
  ends(kind: string, key: string, error: unknown): void;
  /** Told before a controller writes. */
  writes(replica: Replica): void;
  /** Told before a controller deletes an object. */
  deletes(replica: Replica, ref: ObjectRef): void;
  /** Told before people, the cluster or the hosts do something, and after it. */
  others(areAtWork: boolean): void;
  /** Told when a person closed the pull request of this branch. */
  closed(head: string): void;
  /** Told when branches may have been deleted by a person. */
  branches(): void;
  /** The first promise that was broken. */
  broken(): Broken | undefined;
  /** What happened so far. */
  readonly tally: Tally;
}

/** The Sync that applies everything that has a Canary. */
const shopSync = "shop/shop";

/** Watches every write to the API server, Git and its host from now on. */
export function watch(world: CrashWorld): Watch {
  const seen: Seen = {
    world,
    allowed: new Map(world.kube.objects(kinds.canary).map((canary) => [canary.metadata.name, new Set(promotedIn(canary))])),
    heldAtBegin: new Map(),
    syncWorks: false,
    tally: emptyTally(),
    first: new Set(),
    closedByPerson: new Map(),
    ends: new Map(),
    begins: new Map(),
    proposedIn: new Map(),
    replica: undefined,
    othersAtWork: false,
    pulls: [],
    broken: undefined,
  };
  world.kube.onStored((change) => onStored(seen, change));
  world.source.onMoved((move) => onMoved(seen, move));
  return {
    begins: (kind, key, replica) => {
      if (kind === "Sync" && key === shopSync) onSyncBegins(seen, replica);
    },
    ends: (kind, key, error) => {
      if (error !== undefined) return;
      if (kind === "Canary") afterRun(seen, key);
      if (kind === "Sync" && key === shopSync) afterSync(seen);
    },
    writes: (replica) => {
      seen.replica = replica;
      checkPulls(seen);
    },
    deletes: (replica, ref) => onDelete(seen, replica, ref),
    others: (areAtWork) => {
      if (areAtWork) checkPulls(seen);
      seen.othersAtWork = areAtWork;
      seen.pulls = world.hosted.pulls();
    },
    closed: (head) => void seen.closedByPerson.set(head, seen.ends.get(revertOf(head)) ?? 0),
    branches: () => forgetUnheard(seen),
    broken: () => {
      checkPulls(seen);
      return seen.broken;
    },
    tally: seen.tally,
  };
}

/** Hosts close the pull request of a branch that goes: whether a person had closed it before, nobody can tell afterwards. */
function forgetUnheard({ world, closedByPerson }: Seen): void {
  for (const head of closedByPerson.keys()) {
    const isHeard = isOver(named(world, kinds.revert, revertOf(head)));
    if (!isHeard && !world.source.refs.has(`refs/heads/${head}`)) closedByPerson.delete(head);
  }
}

function promotedIn(canary: KubeObject): string[] {
  const { promotedRevision } = statusOf(canary);
  return promotedRevision === undefined ? [] : [promotedRevision];
}

function onStored(seen: Seen, change: StoredChange): void {
  const { object, by, type } = change;
  if (type === "DELETED") return;
  if (object.kind === "Canary") onCanary(seen, change);
  if (object.kind === "Sync") onSync(seen, change);
  if (object.kind === "Revert") onRevert(seen, change);
  if (by.startsWith("serin")) onOurs(seen, change);
}

/** A controller wrote it. */
function onOurs(seen: Seen, change: StoredChange): void {
  const { object, by } = change;
  if (object.kind === "Deployment") onDeployment(seen, change);
  if (object.kind === "HTTPRoute") onRoute(seen, object);
  if (object.kind === "ConfigMap" && by === "serin-canary") onCopy(seen, object);
  if (by !== "serin-sync") return;
  onTarget(seen, object);
  onApplied(seen, object);
}
