/** What the shares of the bad requests say at one moment. */
export type ShareLook =
  | { readonly kind: "ready"; readonly firstWeight: number } // the primary's past is known: the first traffic may come
  | { readonly kind: "blind"; readonly message: string } // nothing can be read, so nothing begins
  | ShareSays;

/** A verdict on a canary that has traffic, or had it. */
export interface ShareSays {
  readonly kind: "verdict";
  /** Whether it decides, or is only shown beside thresholds. */
  readonly acts: boolean;
  readonly verdict: "pass" | "fail" | "inconclusive";
  /** CamelCase: NoTraffic, GoodSoFar, … */
  readonly reason: string;
  /** One sentence, with numbers. */
  readonly message: string;
  readonly rollBack: boolean;
  /** Whether the release is to blame, and not only the moment. */
  readonly propose: boolean;
  /** Percent of traffic to begin with again after all was taken away. */
  readonly firstWeight: number;
  /** What is earned. */
  readonly next:
    | { readonly do: "stay" }
    | { readonly do: "advance"; readonly mayPromote: boolean } // fixed steps: whatever comes next
    | { readonly do: "shift"; readonly weight: number }
    | { readonly do: "promote" };
}

/** What keeps a run from going on and is worth a condition of its own. The words hold no counts, as conditions do not flicker. */
const words: Readonly<Record<string, string | undefined>> = {
  Suspicious: "the canary looks worse than the primary; it gets no more traffic until that is settled",
  TimeIsUp: "maxDuration has passed and the evidence speaks neither way",
};
const unseen: ReadonlySet<string> = new Set(["MetricsUnreadable", "NoTraffic", "TrafficNotSplit"]);

/** Whether this is worth a condition and an event; everything else is the ordinary course of a run. */
export function isNotable(reason: string): boolean {
  return unseen.has(reason) || words[reason] !== undefined;
}

/** The verdict as a condition says it. */
export function wordsOf({ reason, message }: Pick<ShareSays, "reason" | "message">): string {
  return words[reason] ?? message;
}
