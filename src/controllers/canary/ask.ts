import { methodOf } from "../../api/analysis.ts";
import type { Canary } from "../../api/canary.ts";
import { keyOf, type KubeObject } from "../../api/object.ts";
import { checksDue, gateDue, isUrgent, rollbackGateDue, shareDue } from "../../canary/checks.ts";
import { decide, type Gates, type Input } from "../../canary/decide.ts";
import { readsSecrets, templateOf } from "../../canary/revision.ts";
import { judged } from "../../canary/steps.ts";
import type { Digest } from "../../lib/digest.ts";
import { parseDurationMs } from "../../lib/duration.ts";
import { WaitingError } from "../../lib/errors.ts";
import { isRecord } from "../../lib/json.ts";
import type { Digests } from "../digests.ts";
import { type Cluster, kindsRead } from "./cluster.ts";
import type { CanaryDeps, RunCheck } from "./deps.ts";
import { ask } from "./hooks.ts";
import { type Asked, observe, type Observation } from "./observe.ts";
import type { ShareAnswer } from "./share.ts";
import { createUnreadyTimes } from "./unready.ts";

/** How often the cluster is looked at while an answer is waited for. */
const lookMs = 500;

/** Reads the cluster and asks what is due now: metric servers, hooks, and whether a person declined a Revert. */
export interface Observer {
  look(canary: Canary, signal: AbortSignal): Promise<Observation>;
  /** The Canary of this key is gone. */
  forget(key: string): void;
}

type Parts = CanaryDeps & { readonly digests: Digests };

/** How metric servers are asked. */
interface Measures {
  readonly check: RunCheck;
  /** `undefined`: there is nothing to read, and nothing that needs it. */
  readonly shares: (canary: Canary, signal: AbortSignal) => Promise<ShareAnswer | undefined>;
}

/** An observer; it remembers in memory when rollback hooks were last asked, and since when workloads are not ready. */
export function createObserver(given: Parts, cluster: Cluster, measures: Measures): Observer {
  const deps = { ...given, unready: createUnreadyTimes(given.clock) };
  const askedMs = new Map<string, number>();
  return {
    forget: (key) => {
      deps.unready.forget(key);
      askedMs.delete(key);
    },
    look: async (canary, signal) => {
      const digest = await digestFor(deps, cluster, canary, signal);
      const base = { ...(await revertState(deps, cluster, canary, signal)), digest };
      const glance = (): Observation => observe(deps, cluster, canary, base);
      const first = glance();
      if (urgent(canary, first)) return first;
      const answers = await unlessUrgent(
        (both) => answer({ deps, measures, askedMs }, canary, first, both),
        () => urgent(canary, glance()),
        { clock: deps.clock, signal },
      );
      // What was asked may have taken seconds: decide by what is true now.
      return observe(deps, cluster, canary, { ...base, ...answers });
    },
  };
}

/** Only where a Secret is read a namespace gets a key for digests. */
async function digestFor(
  { digests }: Pick<Parts, "digests">,
  cluster: Cluster,
  canary: Canary,
  signal: AbortSignal,
): Promise<Digest> {
  const { namespace = "" } = canary.metadata;
  const target = cluster.find({ ...kindsRead.deployment, namespace, name: canary.spec.targetRef.name });
  const needed = (target && readsSecrets(templateOf(target))) || cluster.labelled("record", canary).some(keepsSecrets);
  return needed ? digests.of(namespace, signal) : unasked;
}

function keepsSecrets({ data }: KubeObject): boolean {
  const configs = isRecord(data) ? data["configs"] : undefined;
  return isRecord(configs) && Object.keys(configs).some((key) => key.startsWith("Secret/"));
}

/** It may come to read one while we wait for answers. */
const unasked: Digest = () => {
  throw new WaitingError("SecretsRead", "the target has just come to read a Secret", 100);
};

function inputOf({ spec, status }: Canary, { seen }: Observation): Input {
  return { spec, status, seen };
}

function urgent(canary: Canary, observation: Observation): boolean {
  return isUrgent(decide(inputOf(canary, observation)), canary.status);
}

type Answers = Pick<Asked, "check" | "gates" | "shares">;

interface Askers {
  readonly deps: CanaryDeps;
  readonly measures: Measures;
  /** When the rollback hooks of a run were last asked, by the clock that nobody sets. */
  readonly askedMs: Map<string, number>;
}

async function answer(askers: Askers, canary: Canary, first: Observation, signal: AbortSignal): Promise<Answers> {
  const input = inputOf(canary, first);
  const due = checksDue(canary.spec, input);
  const [judgement, rollback, shares] = await Promise.all([
    due.length > 0 ? askers.measures.check(canary, due, signal) : undefined,
    rollbackGate(askers, canary, first, signal),
    shareDue(canary.spec, input) ? askers.measures.shares(canary, signal) : undefined,
  ]);
  const onlyShown = judgement && methodOf(canary.spec.analysis) === "share";
  const check = onlyShown ? { ...judgement, onlyShown } : judgement;
  const gates: Gates = { rollback };
  const gate = gateDue({ ...input, seen: { ...input.seen, check, gates, share: shares?.look } });
  if (gate === undefined) return { check, gates, shares };
  const type = gate === "rollout" ? "confirm-rollout" : "confirm-promotion";
  return { check, shares, gates: { ...gates, [gate]: await ask(question(canary, first, type), askers.deps.clock, signal) } };
}

function question(canary: Canary, { revision }: Observation, type: Parameters<typeof ask>[0]["type"]): Parameters<typeof ask>[0] {
  return { canary, type, revision: revision?.id, configs: revision?.checksums ?? {} };
}

/** Once per interval, also while no step is due because the canary is not ready. */
async function rollbackGate(
  { deps, askedMs }: Askers,
  canary: Canary,
  first: Observation,
  signal: AbortSignal,
): Promise<Gates["rollback"]> {
  const { seen } = first;
  const key = keyOf(canary.metadata);
  if (!judged.has(canary.status.phase)) askedMs.delete(key);
  const nowMs = deps.clock.elapsedMs();
  const sinceMs = nowMs - (askedMs.get(key) ?? Number.NEGATIVE_INFINITY);
  if (!rollbackGateDue(canary.spec, canary.status, seen.nowMs) || sinceMs < parseDurationMs(canary.spec.analysis.interval))
    return undefined;
  askedMs.set(key, nowMs);
  return ask(question(canary, first, "rollback"), deps.clock, signal);
}

/**
 * Whether a Revert holds this Canary's failed change, and whether a person declined it. Unless the copy says that it
 * holds, that of a failed one is read from the API server itself: the copy may be older than our own write.
 */
async function revertState({ kube }: CanaryDeps, cluster: Cluster, canary: Canary, signal: AbortSignal): Promise<Omit<Asked, "digest">> {
  const { phase, revertRef, startedAt, refused = [] } = canary.status;
  const reverts = cluster.labelled("revert", canary);
  const held = reverts.some((revert) => stateOf(revert).holds);
  if (phase !== "Failed" || revertRef === undefined) return { held, declined: false, gates: {} };
  if (reverts.some((revert) => revert.metadata.name === revertRef && stateOf(revert).holds))
    return { held: true, declined: false, gates: {} };
  const revert = await kube.find({ ...kindsRead.revert, namespace: canary.metadata.namespace, name: revertRef }, signal);
  if (!revert) return { held, declined: refused.some((entry) => entry.revert === revertRef && entry.declined === true), gates: {} };
  const { holds, declinedAt } = stateOf(revert);
  const declined = declinedAt !== undefined && Date.parse(declinedAt) > Date.parse(startedAt ?? "");
  return { held: holds || (held && !declined), declined, gates: {} };
}

function stateOf(revert: { readonly [field: string]: unknown; readonly metadata: { readonly deletionTimestamp?: string } }): {
  holds: boolean;
  declinedAt?: string | undefined;
} {
  const { phase, endedAt } = (revert["status"] ?? {}) as { phase?: string; endedAt?: string };
  const ended = phase === "Merged" || phase === "Declined" || phase === "Superseded";
  return { holds: !ended && revert.metadata.deletionTimestamp === undefined, declinedAt: phase === "Declined" ? endedAt : undefined };
}

/** The work's result; `undefined` when something more pressing came up meanwhile. No hook and no query may delay a rollback. */
async function unlessUrgent<T>(
  work: (signal: AbortSignal) => Promise<T>,
  isPressing: () => boolean,
  { clock, signal }: { clock: CanaryDeps["clock"]; signal: AbortSignal },
): Promise<T | undefined> {
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const watch = async (): Promise<undefined> => {
    while (!both.aborted) {
      await clock.sleep(lookMs, both);
      if (isPressing()) return undefined;
    }
    return undefined;
  };
  const running = work(both);
  const watching = watch();
  // Whichever loses ends by the abort; its rejection says nothing.
  running.catch(() => {});
  watching.catch(() => {});
  try {
    return await Promise.race([running, watching]);
  } finally {
    over.abort();
  }
}
