import { describeRef, type KubeObject } from "../../api/object.ts";
import type { Sync } from "../../api/sync.ts";
import { describeDrift, driftOf } from "../../gitops/drift.ts";
import { entryId } from "../../gitops/inventory.ts";
import type { Action, Step } from "../../gitops/plan.ts";
import type { SyncDeps } from "./deps.ts";
import type { Planned } from "./observe.ts";

/** What a run wrote, and of which revision. */
interface Told {
  readonly done: readonly { readonly step: Step; readonly stored: KubeObject }[];
  readonly revision: string;
}

const maxNamed = 10;
const words: readonly (readonly [action: Action, word: string])[] = [["create", "created"], ["adopt", "adopted"], ["change", "changed"]];

/** One event of what a commit changed. */
export function tellApplied({ events, log }: SyncDeps, sync: Sync, { done, revision }: Told): void {
  const parts = words.flatMap(([action, word]) => {
    const refs = done.filter(({ step }) => step.action === action).map(({ step }) => describeRef(step.ref));
    return refs.length > 0 ? [`${word} ${nameSome(refs)}`] : [];
  });
  if (parts.length === 0) return;
  events.normal(resourceOf(sync), "Applied", `${revision}: ${parts.join("; ")}`);
  log.info({ sync: describeRef(refOfSync(sync)), revision, written: done.length }, "sync applied");
}

/** One event per object that was put back: which field, and who had changed it. */
export function tellDrift({ events, log }: SyncDeps, sync: Sync, { done, revision }: Told): void {
  for (const { step } of done) {
    const object = describeRef(step.ref);
    if (step.action === "recreate") {
      events.warning(resourceOf(sync), "DriftCorrected", `${revision}: ${object} was deleted in the cluster and is created again`);
      log.info({ object, revision }, "deleted object created again");
    }
    if (step.action === "correct" && step.live) {
      const drift = describeDrift(driftOf(step.object, step.live));
      events.warning(resourceOf(sync), "DriftCorrected", `${revision}: ${object} was changed in the cluster (${drift}) and is put back`);
      log.info({ object, revision, drift }, "drift corrected");
    }
  }
}

/** Services whose selector and ports are a Canary's from now on. */
export function tellAdopted({ events }: SyncDeps, sync: Sync, { adopted }: Planned, { done, revision }: Told): void {
  const written = new Set(done.map(({ step }) => step.entry.id));
  for (const ref of adopted.filter((candidate) => written.has(entryId(candidate)))) {
    events.normal(resourceOf(sync), "ServiceAdopted", `${revision}: ${describeRef(ref)}: selector and ports are the Canary's, all else stays as it is in Git`);
  }
}

/** The first few of a list, and how many more. */
export function nameSome(items: readonly string[]): string {
  const more = items.length - maxNamed;
  return `${items.slice(0, maxNamed).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** The Sync as an object that events can be about. */
export function resourceOf({ apiVersion, kind, metadata }: Sync): KubeObject {
  return { apiVersion, kind, metadata };
}

function refOfSync({ apiVersion, kind, metadata: { namespace, name } }: Sync) {
  return { apiVersion, kind, namespace, name };
}
