import type { Canary } from "../api/canary.ts";
import type { Evidence, RevisionContent } from "../api/cause.ts";

/** A release that failed, as the Canary's controller hands it over to what happens in Git. */
export interface Failure {
  readonly canary: Canary;
  readonly failed: RevisionContent;
  /** `undefined`: nothing was ever promoted, so there is nothing to return to. */
  readonly promoted: RevisionContent | undefined;
  /** Up to ten revisions before, newest first: they tell build stamps from causes. */
  readonly earlier: readonly RevisionContent[];
  readonly evidence: Evidence;
  /** Whether it is the commit's fault (design rule 3). False: hold only. */
  readonly propose: boolean;
}

/**
 * Records the failure as a Revert. Called once the status says Failed and the routes are written, or their write was tried:
 * traffic comes first. Whoever is killed before or during it calls it again on the next run, as long as the Canary's status
 * names no Revert. Idempotent: the name comes from the Canary and the deciding fields. Needs no Git. Returns the Revert's
 * name, or `undefined` when there is nothing to hold.
 */
export type EnsureRevert = (failure: Failure, signal: AbortSignal) => Promise<string | undefined>;
