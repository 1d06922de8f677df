import { managers } from "../../api/meta.ts";
import { isAsNewAs, keyOf, type KindRef, type KubeObject, type ObjectRef, refOf } from "../../api/object.ts";
import { ownedDigest } from "../../gitops/project.ts";
import { mustTakeOver } from "../../gitops/takeover.ts";
import type { Change, Informer, Informers } from "../../kube/kube.ts";
import type { Clock } from "../../lib/clock.ts";

/** The applied kinds as they are now: what informers saw, or what we wrote ourselves since. */
export interface Live {
  /** Watches these kinds from now on and waits until they are known. */
  ensure(kinds: Iterable<KindRef>, signal: AbortSignal): Promise<void>;
  /** The newest known state. Its kind must have been given to `ensure`. */
  find(ref: ObjectRef): KubeObject | undefined;
  /** What the fields that Syncs own of the object are, and whether people wrote to it by hand. Worked out once for each version. */
  owned(ref: ObjectRef): Owned | undefined;
  /** All objects of the kind that informers saw. */
  list(kind: KindRef): KubeObject[];
  /** Remembers what the API server returned for a write until the watch has caught up. */
  wrote(stored: KubeObject): void;
  /** Calls the handler for each change of any watched kind. */
  onChange(handler: (change: Change) => void): () => void;
}

/** What tells drift. */
interface Owned {
  readonly digest: string;
  readonly byHand: boolean;
}

/** How long the first list of a kind may take. */
const syncTimeoutMs = 15_000;
/** A watch that is further behind has lost the event: then what it says counts. */
const maxLagMs = 30_000;

interface Written {
  readonly stored: KubeObject;
  /** By the clock that nobody sets. */
  readonly atMs: number;
}

/**
 * A view of all kinds that any Sync applies; share one. Unlike `createOwnWrites` it also knows what was only just made and no watch has
 * shown, so it has to be told of deletions, and to give up on an event that was lost.
 */
export function createLive({ informers, clock }: { readonly informers: Informers; readonly clock: Clock }): Live {
  const watched = new Map<string, Informer>();
  const written = new Map<string, Written>();
  const handlers = new Set<(change: Change) => void>();

  const keyOfRef = (ref: ObjectRef): string => `${ref.apiVersion} ${ref.kind} ${keyOf(ref)}`;
  const onSeen = (change: Change): void => {
    const seen = change.after ?? change.before;
    if (!seen) return;
    const key = keyOfRef(refOf(seen));
    const own = written.get(key);
    if (own && hasCaughtUp(change, own.stored)) written.delete(key);
    for (const handler of handlers) handler(change);
  };
  const watch = (kind: KindRef): Informer => {
    const key = `${kind.apiVersion} ${kind.kind}`;
    const known = watched.get(key);
    if (known) return known;
    const informer = informers.of({ apiVersion: kind.apiVersion, kind: kind.kind });
    watched.set(key, informer);
    informer.onChange(onSeen);
    return informer;
  };
  const find = (ref: ObjectRef): KubeObject | undefined => {
    const seen = watch(ref).find(keyOf(ref));
    const own = written.size === 0 ? undefined : written.get(keyOfRef(ref));
    const useOwn = own !== undefined && clock.elapsedMs() - own.atMs < maxLagMs && !isNewer(seen, own.stored);
    return useOwn ? own.stored : seen;
  };
  return {
    ensure: async (kinds, signal) => {
      const missing = new Set([...kinds].map((kind) => watch(kind)).filter((informer) => !informer.synced));
      if (missing.size > 0) await allSynced(missing, signal);
    },
    find,
    owned: rememberOwned(find),
    list: (kind) => watch(kind).list(),
    wrote: (stored) => {
      const ref = refOf(stored);
      const seen = watch(ref).find(keyOf(ref));
      if (seen?.metadata.resourceVersion !== stored.metadata.resourceVersion) {
        written.set(keyOfRef(ref), { stored, atMs: clock.elapsedMs() });
      }
    },
    onChange: (handler) => {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
  };
}

async function allSynced(informers: ReadonlySet<Informer>, signal: AbortSignal): Promise<void> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(syncTimeoutMs)]);
  for (const informer of informers) {
    await informer.whenSynced(within).catch((cause: unknown) => {
      throw signal.aborted ? cause : new Error(`list ${informer.kind.kind} (${informer.kind.apiVersion}): no answer in time; may the controller list and watch it?`);
    });
  }
}

/** A known object never changes: a new version is a new object. */
function rememberOwned(find: Live["find"]): Live["owned"] {
  const known = new WeakMap<KubeObject, Owned>();
  return (ref) => {
    const object = find(ref);
    const before = object && known.get(object);
    if (!object || before) return before;
    const owned = { digest: ownedDigest(object, managers.sync), byHand: mustTakeOver(object) };
    known.set(object, owned);
    return owned;
  };
}

function hasCaughtUp({ before, after }: Change, own: KubeObject): boolean {
  // A deletion that the watch tells of came after our write, unless it was that of an earlier object of this name.
  if (!after) return before?.metadata.uid === own.metadata.uid;
  return isAsNewAs(after, own);
}

function isNewer(seen: KubeObject | undefined, own: KubeObject): boolean {
  return seen !== undefined && isAsNewAs(seen, own);
}
