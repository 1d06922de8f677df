import { rangeOf, unitOf } from "../../analysis/check.ts";
import { type Canary, type CanaryStatus, refusedKept } from "../../api/canary.ts";
import type { CauseField, Evidence } from "../../api/cause.ts";
import { shareEvidence } from "../../api/share-evidence.ts";
import { earlierThan } from "../../canary/history.ts";
import { kindsRead } from "./cluster.ts";
import type { CanaryDeps } from "./deps.ts";
import { type Observation, pinned } from "./observe.ts";

/**
 * Hands a failed run over to what happens in Git and remembers the Revert and the refused values. Idempotent; does nothing
 * when there is no failure, or it is handed over already. Returns the Canary as it is then.
 */
export async function handOver(
  deps: Pick<CanaryDeps, "ensureRevert" | "kube" | "canaries">,
  canary: Canary,
  seen: Observation,
  signal: AbortSignal,
): Promise<Canary> {
  const { status } = canary;
  const failed = pinned(seen, status.trackedRevision);
  if (status.phase !== "Failed" || !status.failure || status.revertRef !== undefined || !failed) return canary;
  const earlier = earlierThan(seen.history, status.trackedRevision);
  const promoted = pinned(seen, status.promotedRevision);
  const { propose } = status.failure;
  const revert = await deps.ensureRevert(
    { canary, failed, promoted, earlier, evidence: evidenceOf(canary, status.failure), propose },
    signal,
  );
  if (revert === undefined) return canary;
  const fields = await decidingFields(deps, { namespace: canary.metadata.namespace, name: revert }, signal);
  return deps.canaries.patchStatus(
    canary,
    { ...status, revertRef: revert, refused: remember(status, { revert, fields, revision: status.trackedRevision }) },
    signal,
  );
}

async function decidingFields(
  { kube }: Pick<CanaryDeps, "kube">,
  ref: { namespace: string | undefined; name: string },
  signal: AbortSignal,
): Promise<CauseField[]> {
  const revert = await kube.find({ ...kindsRead.revert, ...ref }, signal);
  const { cause = [] } = (revert?.["spec"] ?? {}) as { cause?: CauseField[] };
  return cause.filter(({ decides }) => decides);
}

type Refused = NonNullable<CanaryStatus["refused"]>[number];

function remember({ refused = [] }: CanaryStatus, entry: Refused): Refused[] {
  const known = refused.find(({ revert }) => revert === entry.revert);
  if (!known) return [...refused, entry].slice(-refusedKept);
  if (known.revision !== entry.revision) return refused;
  return refused.map((each) => (each === known ? { ...known, tries: (known.tries ?? 1) + 1 } : each));
}

function evidenceOf({ spec, status }: Canary, failure: NonNullable<CanaryStatus["failure"]>): Evidence {
  const { reason, message: sentence, failedAt, weight } = failure;
  const { evidence } = status;
  const checks = (status.checks ?? []).map(({ name, verdict, value, primary, primaryPassed }) => {
    const metric = spec.analysis.metrics?.find((each) => each.name === name);
    const limits = metric ? { ...rangeOf(metric), unit: unitOf(metric) } : {};
    return { name, value, primary, ...limits, passed: verdict === "pass", primaryPassed };
  });
  return {
    sentence,
    reason,
    failedAt,
    weight,
    revision: status.trackedRevision ?? "",
    promotedRevision: status.promotedRevision,
    commit: status.trackedCommit,
    promotedCommit: status.promotedCommit,
    // What could not be measured is no evidence.
    checks: checks.filter((_, index) => status.checks?.[index]?.verdict !== "inconclusive"),
    ...(evidence ? { share: shareEvidence.parse(evidence) } : {}),
  };
}
