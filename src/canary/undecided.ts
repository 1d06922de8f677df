import type { CanarySpec, CanaryStatus } from "../api/canary.ts";
import { parseDurationMs } from "../lib/duration.ts";
import type { Check, Input, NotReady } from "./decide.ts";

/** What becomes of a check that says nothing, once it was waited for as long as the Canary says. */
type Undecided =
  | { readonly do: "wait" }
  | { readonly do: "pass" } // as if it had passed
  | { readonly do: "promote" }
  | { readonly do: "fail"; readonly failure: NotReady };

const wait: Undecided = { do: "wait" };

/** Thresholds: what onNoData, onBlind and onInconclusive make of a check without a verdict. Never the commit's fault. */
export function undecided({ spec, status, seen: { check, nowMs } }: Input): Undecided {
  if (check?.verdict !== "inconclusive") return wait;
  const silent = isSilent(spec, status, { check, nowMs }) ? ofSilence(spec, check) : wait;
  return silent.do === "wait" && isTimeUp(spec, status, nowMs) ? ofTime(spec, check) : silent;
}

function ofSilence({ analysis: { onNoData, onBlind } }: CanarySpec, check: Check): Undecided {
  if (check.silence === "blind") return onBlind === "fail" ? failed("MetricsUnreadable", check) : wait;
  if (onNoData === "hold") return wait;
  return onNoData === "promote" ? { do: "pass" } : failed("NoData", check);
}

function ofTime({ analysis: { onInconclusive } }: CanarySpec, check: Check): Undecided {
  if (onInconclusive === "hold") return wait;
  return onInconclusive === "promote" ? { do: "promote" } : failed("TimeIsUp", check);
}

function failed(reason: string, { message }: Check): Undecided {
  return { do: "fail", failure: { reason, message, commitsFault: false } };
}

function isSilent(
  { analysis, progressDeadlineSeconds }: CanarySpec,
  { silence }: CanaryStatus,
  { check, nowMs }: { check: Check; nowMs: number },
): boolean {
  if (check.silence === undefined || silence?.kind !== check.silence) return false;
  const limitMs = check.silence === "blind" ? progressDeadlineSeconds * 1_000 : parseDurationMs(analysis.noDataTimeout);
  return nowMs - Date.parse(silence.since) >= limitMs;
}

function isTimeUp({ analysis: { maxDuration } }: CanarySpec, { firstTrafficAt, startedAt }: CanaryStatus, nowMs: number): boolean {
  const since = firstTrafficAt ?? startedAt;
  return maxDuration !== undefined && since !== undefined && nowMs - Date.parse(since) >= parseDurationMs(maxDuration);
}
