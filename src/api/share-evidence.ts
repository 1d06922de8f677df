import { z } from "zod";

const tally = z.object({
  requests: z.number().describe("Requests of this version."),
  bad: z.number().describe("Of these, the failed ones."),
});

const slowTally = z.object({
  requests: z.number().describe("Requests of this version of which it is known how long they took."),
  bad: z.number().describe("Of these, the slow ones."),
});

const step = z.object({
  weight: z.number().describe("Percent of traffic."),
  from: z.string().describe("When it began, RFC 3339."),
  canary: tally.describe("The canary, in this step."),
  stable: tally.describe("The primary, at the same time."),
  slow: z
    .object({ canary: slowTally.describe("The canary, in this step."), stable: slowTally.describe("The primary, at the same time.") })
    .optional()
    .describe("Requests slower than slowerThanMilliseconds, as the evidence counts them: after the warm-up. Missing: there were none."),
  evidence: z.number().describe("Against the canary at the end of the step; at most 1e9."),
  peak: z.number().optional().describe("The most that it was in the step; at most 1e9."),
});

/** What the shares of the bad requests say of a release, step by step. */
export const shareEvidence = z.object({
  acts: z.boolean().describe("Whether it decides; with method threshold it is only shown."),
  peak: z.number().describe("The most that the evidence ever was; at most 1e9."),
  limit: z.number().describe("Evidence at which the release is rolled back."),
  against: z
    .enum(["errors", "slo", "latency"])
    .optional()
    .describe("What speaks against the canary: more errors than the primary, more than the SLO allows, or more slow requests than the primary. Missing: nothing does."),
  slowerThanMilliseconds: z
    .number()
    .optional()
    .describe("What counts as a slow request in the steps; of the bounds that are watched the one that decides. Missing: how long requests take is not known."),
  steps: z.array(step).max(40).describe("Oldest first; of more than 40 the newest."),
});
export type ShareEvidence = z.infer<typeof shareEvidence>;
/** One step of it. */
export type ShareStep = ShareEvidence["steps"][number];

/** The share verdict of a Canary's tracked revision. */
export const shareStatus = shareEvidence.extend({
  verdict: z.enum(["pass", "fail", "inconclusive"]),
  reason: z.string().describe("CamelCase word for programs: EvidenceAgainst, NoTraffic, GoodSoFar, …"),
  message: z.string().describe("The verdict in one sentence."),
  evidence: z.number().describe("As it stands; at most 1e9."),
  dispersion: z.number().describe("How large the clumps are that the primary's errors come in; 1: one by one."),
  dispersionMeasured: z.boolean().describe("Whether that was measured between pods, or is assumed."),
  baseline: z.number().describe("Failed part of the primary's requests as it is estimated, in percent."),
  baselineOf: tally.optional().describe("Requests of the primary that the estimate rests on, of its last hour and this rollout; without any it is what the SLO allows."),
  visible: z.number().optional().describe("Smallest rate of errors that this rollout could have shown, in percent; missing: only near total failure."),
  needed: z
    .array(
      z.object({
        times: z.number().describe("A canary that fails so many times as often as the primary."),
        requests: z.number().optional().describe("Canary requests until it is found; missing: never, it is within what is tolerated."),
        seconds: z.number().optional().describe("The same in time, at the canary's traffic of now."),
      }),
    )
    .describe("What it takes to find a worse release."),
  source: z.string().describe("Whose metrics count the requests."),
  readAt: z.string().describe("When the metrics were last read, RFC 3339."),
  nextReadAt: z.string().describe("When they will be read again."),
  state: z.string().describe("What a restart goes on from; for Serin alone."),
});
export type ShareStatus = z.infer<typeof shareStatus>;
