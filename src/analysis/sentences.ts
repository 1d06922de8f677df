import { capitalised } from "../lib/text.ts";
import type { Counted, Numbers } from "./numbers.ts";
import type { Power } from "./power.ts";
import { currentStep, type RunState } from "./run.ts";
import { type ShareRules, splitMismatch, warmupLimit } from "./share.ts";
import type { JudgeInput, Outcome, Reason } from "./verdict.ts";

/** A fraction as people write it: `0.1 %`, `12 %`; two digits that count. */
export function percent(fraction: number): string {
  const value = fraction * 100;
  if (value === 0) return "0 %";
  return `${value >= 99.5 || value >= 10 ? Math.round(value) : Number(value.toPrecision(2))} %`;
}

function times(factor: number): string {
  return factor >= 10 ? String(Math.round(factor)) : String(Number(factor.toPrecision(2)));
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function oneOf({ alpha }: Pick<ShareRules, "alpha">): string {
  return `1 of ${Math.round(1 / alpha)}`;
}

function observation({ counted, tolerated }: Numbers): string {
  const { speaker, canary, stable } = counted;
  if (speaker === "guard") {
    const theirs = stable.bad === 0 ? `none of ${stable.requests}` : percent(stable.bad / stable.requests);
    const beside = stable.requests > 0 ? `, while the primary failed ${theirs}` : "";
    return `${canary.bad} of the canary's ${plural(canary.requests, "request")} failed, where ${percent(tolerated)} would be tolerated${beside}`;
  }
  const share = canary.requests / Math.max(canary.requests + stable.requests, 1);
  return `of the ${badOnes(counted)} ${canary.bad} came from the canary, which got only ${percent(share)} of the traffic`;
}

const sinceWhen = { step: "in this step", run: "since the rollout began", warmup: "since the warm-up" } as const;

function badOnes({ speaker, canary, stable, since, boundMs }: Counted): string {
  const all = canary.bad + stable.bad;
  const what = speaker === "slow" ? `${plural(all, "request")} slower than ${boundMs ?? 0} ms` : `${all} failed request${all === 1 ? "" : "s"}`;
  return `${what} ${sinceWhen[since]}`;
}

function tolerance({ counted: { speaker }, measured, dispersion }: Numbers, rules: ShareRules): string {
  const release = speaker === "guard" ? "a release within that" : `a release no worse than ${rules.ratio} times the primary`;
  const assumed =
    measured || speaker === "slow" ? "" : ` (errors are assumed to come in clumps of ${dispersion}: the primary's pods cannot be told apart here)`;
  return `${release} would ever look this bad in fewer than ${oneOf(rules)} rollouts${assumed}`;
}

/** What this rollout could have seen, and what not. */
export function visibility(power: Power): string {
  const { canaryRequests, visibleRate } = power;
  if (canaryRequests === 0) return "the canary had no request, so nothing could have been seen";
  const had = `with ${plural(canaryRequests, "canary request")}`;
  if (visibleRate === undefined) return `${had} only a release that fails nearly always could have been seen`;
  return `${had} an error rate of ${percent(visibleRate)} or more could have been seen (${besideBaseline(visibleRate, power)}), nothing less`;
}

/** How much that is beside the primary's own rate, which is an estimate or not known at all. */
function besideBaseline(rate: number, { baseline, baselineOf: { requests, bad } }: Power): string {
  const more = times(rate / baseline);
  if (requests === 0) return `${more} times the ${percent(baseline)} that the SLO allows: nothing is known of the primary`;
  if (bad === 0) return `the primary failed none of ${requests}`;
  return `${more} times the primary's, about ${percent(baseline)}`;
}

interface Said extends JudgeInput {
  readonly run: RunState;
  readonly numbers: Numbers;
}

/** An outcome in one sentence for people: without a full stop, as status messages are. */
export function sentenceOf(outcome: Outcome, said: Said): string {
  return capitalised(words[outcome.reason](said, outcome));
}

const words: Record<Reason, (said: Said, outcome: Outcome) => string> = {
  EvidenceAgainst: ({ numbers, rules }) => `${observation(numbers)}; ${tolerance(numbers, rules)}`,
  MetricsUnreadable: ({ moment }) => `nothing can be seen of either version: ${moment.unreadable ?? "there is no new sample of their requests"}`,
  NoTraffic: ({ run }) => `the canary gets no requests although ${currentStep(run).weight} % of the traffic is set for it`,
  TrafficNotSplit: ({ run }) => mismatch(run),
  TimeIsUp: ({ numbers }) => `the time is up: ${visibility(numbers.power)}`,
  Suspicious: ({ numbers }) => `waiting: ${observation(numbers)}`,
  WarmingUp: ({ rules }) => `warming up: for ${rules.warmupMs / 1_000} s only failure of more than ${percent(warmupLimit)} of its requests counts`,
  NotEnoughEvidence: ({ numbers }) => `more requests are needed: ${visibility(numbers.power)}`,
  GoodSoFar: (said, { next }) => goodSoFar(said, next),
  GoodEnough: ({ run, numbers }) => `${run.share.stable.requests > 0 ? "no worse than the primary" : "within what the SLO allows"}; ${visibility(numbers.power)}`,
};

function goodSoFar({ run, numbers }: Said, next: Outcome["next"]): string {
  if (next.do !== "shift") return `no sign that the canary is worse; ${visibility(numbers.power)}`;
  if (!next.proven) return `${currentStep(run).weight} % of the traffic proved nothing either way; only more of it can`;
  return `at ${next.weight} % even a canary as bad as is still plausible costs less than the error budget`;
}

function mismatch(run: RunState): string {
  const way = splitMismatch(run.share) ?? "less";
  const cause = way === "less" ? "the metrics do not see all of its traffic, or the router does not obey" : "the router does not obey";
  return `the canary gets ${way} of the requests than its ${currentStep(run).weight} %: ${cause}`;
}
