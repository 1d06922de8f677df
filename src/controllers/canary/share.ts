import { firstWeightOf, reportOf, reportStepped, stepped } from "../../analysis/follow.ts";
import type { Stored } from "../../analysis/stored.ts";
import type { ShareVerdict } from "../../analysis/verdict.ts";
import { methodOf } from "../../api/analysis.ts";
import type { Canary, CanaryStatus } from "../../api/canary.ts";
import { keyOf } from "../../api/object.ts";
import type { ShareStatus } from "../../api/share-evidence.ts";
import type { ShareLook, ShareSays } from "../../canary/share-look.ts";
import { counted, judged } from "../../canary/steps.ts";
import { StalledError } from "../../lib/errors.ts";
import { isRecord } from "../../lib/json.ts";
import type { SeriesReader } from "../../lib/series.ts";
import { MetricError } from "../../metrics/metric-provider.ts";
import { type Cluster, kindsRead } from "./cluster.ts";
import type { CanaryDeps } from "./deps.ts";
import { type MetricDeps, queryTimeoutMs, sourceOf } from "./metrics.ts";
import { routerOf } from "./provider.ts";
import { beginAt, type Followed, followedBefore, type Past, readOn, readPast, type Reads, verdictOn } from "./share-reads.ts";

/** What was read of the requests of both versions, and what it says. */
export type ShareAnswer = { readonly look: ShareLook } & (
  | { readonly past?: undefined; readonly followed?: undefined } // nothing could be read
  | { readonly past: Past; readonly followed?: undefined } // the first traffic may come
  | { readonly past?: undefined; readonly followed: Followed }
);

/** What reading raw samples needs. */
export type ShareDeps = MetricDeps & Pick<CanaryDeps, "routers"> & { readonly cluster: Pick<Cluster, "find"> };
type Deps = ShareDeps;

/** Adaptive steps begin again with this weight, in percent, where nothing better is known. */
const usualFirstWeight = 5;

/**
 * Reads what is due and judges it; nothing but an abort throws. `undefined`: thresholds decide, and there is nothing to show beside
 * them. A metric server that does not answer is an answer as well.
 */
export async function lookAtShares(deps: Deps, canary: Canary, signal: AbortSignal): Promise<ShareAnswer | undefined> {
  const before = followedBefore(canary);
  try {
    const reads = await readsFor(deps, canary, signal);
    if (reads) return before ? says(canary, await on(canary, before, reads, signal)) : await ready(canary, reads, signal);
    return blind(canary, before, { message: "this kind of metric server gives no raw samples", nowMs: deps.clock.nowMs() });
  } catch (error) {
    if (!(error instanceof MetricError) && !(error instanceof StalledError)) throw error;
    return blind(canary, before, { message: error.message, nowMs: deps.clock.nowMs() });
  }
}

async function ready(canary: Canary, reads: Reads, signal: AbortSignal): Promise<ShareAnswer> {
  const past = await readPast(canary, reads, signal);
  return { look: { kind: "ready", firstWeight: past.firstWeight }, past };
}

async function on(canary: Canary, before: Stored, reads: Reads, signal: AbortSignal): Promise<Followed> {
  const stored = await readOn(canary, before, reads, signal);
  return { stored, verdict: verdictOn(canary, stored, { nowMs: reads.nowMs - reads.aheadMs }) };
}

function blind(
  canary: Canary,
  before: Stored | undefined,
  { message, nowMs }: { message: string; nowMs: number },
): ShareAnswer | undefined {
  if (before) return says(canary, { stored: before, verdict: verdictOn(canary, before, { nowMs, unreadable: message }) });
  return methodOf(canary.spec.analysis) === "share" ? { look: { kind: "blind", message } } : undefined;
}

function says({ spec }: Canary, followed: Followed): ShareAnswer {
  const { verdict, reason, message, rollBack, propose } = followed.verdict;
  const look: ShareSays = {
    kind: "verdict",
    acts: methodOf(spec.analysis) === "share",
    verdict,
    reason,
    message,
    rollBack,
    propose,
    firstWeight: firstWeightOf(followed.stored) ?? usualFirstWeight,
    next: nextOf(followed.verdict),
  };
  return { look, followed };
}

function nextOf({ next }: ShareVerdict): ShareSays["next"] {
  switch (next.do) {
    case "stay":
      return { do: "stay" };
    case "advance":
      return { do: "advance", mayPromote: next.mayPromote };
    case "shift":
      return { do: "shift", weight: next.weight };
    case "promote":
      return { do: "promote" };
    default:
      return next satisfies never;
  }
}

interface Moment {
  /** As it was before the decision. */
  readonly canary: Canary;
  readonly answer: ShareAnswer | undefined;
  readonly nowMs: number;
}

/**
 * The status with the evidence as it is after this decision: what was read now, and that another weight stands from now on. To be
 * stored in the same write as the decision, so that a restart neither loses nor counts twice.
 */
export function withEvidence(after: CanaryStatus, moment: Moment): CanaryStatus {
  const { past, followed } = moment.answer ?? {};
  if (past) return begun(after, past, moment);
  // Another run has begun, or none is left.
  if (!after.evidence) return after;
  return followed ? goneOn(after, followed, moment) : unread(after, after.evidence, moment);
}

function begun(after: CanaryStatus, past: Past, { canary, nowMs }: Moment): CanaryStatus {
  const { canaryWeight: weight = 0 } = after;
  if (!judged.has(after.phase) || weight === 0) return after;
  return reported(after, canary, { ...beginAt(canary, past, { weight, nowMs }), nowMs });
}

function goneOn(after: CanaryStatus, { stored, verdict }: Followed, { canary, nowMs }: Moment): CanaryStatus {
  return reported(after, canary, { stored: afterMove(stored, after, { canary, nowMs }), verdict, nowMs });
}

/** Traffic may be taken away without a look at the metrics. */
function unread(after: CanaryStatus, evidence: ShareStatus, { canary, nowMs }: Moment): CanaryStatus {
  const before = followedBefore(canary);
  const stored = before && afterMove(before, after, { canary, nowMs });
  return stored === before || !stored ? after : { ...after, evidence: reportStepped(evidence, stored) };
}

/** The rollout with the weight that stands from now on; the very same where that is the one before. */
function afterMove(stored: Stored, after: CanaryStatus, { canary, nowMs }: Pick<Moment, "canary" | "nowMs">): Stored {
  const { canaryWeight: weight = 0 } = after;
  const moved = counted.has(after.phase) && weight !== (canary.status.canaryWeight ?? 0);
  return moved ? stepped(stored, { weight, atMs: nowMs + (stored.aheadMs ?? 0) }) : stored;
}

function reported(after: CanaryStatus, { spec }: Canary, { stored, verdict, nowMs }: Followed & { nowMs: number }): CanaryStatus {
  return { ...after, evidence: reportOf(stored, verdict, { acts: methodOf(spec.analysis) === "share", nowMs }) };
}

/** Where a Canary's requests are read; `undefined`: its metric server has no raw samples. Throws StalledError where there is none. */
export async function readsFor(deps: Deps, canary: Canary, signal: AbortSignal): Promise<Reads | undefined> {
  const reader = seriesReaderOf(deps, canary);
  if (!reader) return undefined;
  const { namespace } = canary.metadata;
  const startedMs = (name: string): number | undefined => {
    const status = deps.cluster.find({ ...kindsRead.pod, namespace, name })?.["status"];
    const since = isRecord(status) ? Date.parse(String(status["startTime"])) : Number.NaN;
    return Number.isNaN(since) ? undefined : since;
  };
  const source = await proxyOf(deps, canary, signal);
  const nowMs = await reader.nowMs(signal);
  return { reader, source, startedMs, nowMs, aheadMs: nowMs - deps.clock.nowMs(), unrouted: isUnrouted(deps, canary) };
}

/** Whether the routes have another weight than the status: a process may end between the writes of the two. */
function isUnrouted({ routers, defaults, cluster }: Deps, canary: Canary): boolean {
  const router = routers[routerOf(defaults, canary)];
  const live = router.outputs(canary).flatMap((ref) => cluster.find(ref) ?? []);
  return router.split(live)?.canary !== (canary.status.canaryWeight ?? 0);
}

/** The proxy in front of both versions; `undefined`: one whose metrics we do not know, so that the programs' own are read. */
async function proxyOf(deps: Deps, canary: Canary, signal: AbortSignal): Promise<Reads["source"]> {
  try {
    return await sourceOf(deps, canary, signal);
  } catch (error) {
    if (error instanceof StalledError && error.reason === "MetricSourceUnknown") return undefined;
    throw error;
  }
}

/** Raw samples of the Canary's Prometheus; `undefined`: this kind of server has none. Throws StalledError where there is no server. */
function seriesReaderOf({ metricProviders, defaults }: Deps, canary: Canary): SeriesReader | undefined {
  return metricProviders.prometheus({ address: requireMetricsServer(canary, defaults), timeoutMs: queryTimeoutMs }).series;
}

/** Throws StalledError where a Canary names no Prometheus and the controller has none either. */
export function requireMetricsServer({ metadata, spec }: Canary, defaults: MetricDeps["defaults"]): string {
  const address = spec.metricsServer ?? defaults.metricsServer;
  if (address !== undefined) return address;
  const what = `Canary ${keyOf(metadata)}: spec.metricsServer is not set and the controller has no default`;
  throw new StalledError("MetricsServerMissing", `${what}; set one of them: the requests of both versions are read there`);
}
