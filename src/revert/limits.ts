/** A failure somewhere in the cluster: when, and which commits are to blame as far as known. */
export interface RecentFailure {
  /** `namespace/name`. */
  readonly canary: string;
  readonly failedAtMs: number;
  /** The same text for the same set of commits. */
  readonly commits: string;
}

const stormWindowMs = 10 * 60_000;
const stormSets = 3;

/**
 * Whether so many different changes failed at once that none of them is likely to be the reason (design rule 3): Canaries
 * of three or more different sets of commits within ten minutes around this one. One Canary counts once, with its newest
 * failure: someone who tries and fails three times is no outage.
 */
export function isStorm(failure: RecentFailure, others: readonly RecentFailure[]): boolean {
  const near = others.filter(({ failedAtMs }) => Math.abs(failedAtMs - failure.failedAtMs) <= stormWindowMs);
  const oldestFirst = [...near].sort((a, b) => a.failedAtMs - b.failedAtMs);
  const byCanary = new Map([...oldestFirst, failure].map(({ canary, commits }) => [canary, commits]));
  return new Set(byCanary.values()).size >= stormSets;
}

const proposalsPerHour = 3;
const hourMs = 60 * 60_000;

/** Milliseconds until one more proposal may be made for a repository (design rule 3: three an hour); 0: now. */
export function msUntilProposal(earlierMs: readonly number[], nowMs: number): number {
  const recent = earlierMs.filter((atMs) => atMs > nowMs - hourMs).sort((a, b) => b - a);
  const blocking = recent[proposalsPerHour - 1];
  return blocking === undefined ? 0 : blocking + hourMs - nowMs;
}

/** A branch is written again at most this often (design rule 6). */
export const rebuildIntervalMs = 15 * 60_000;

/** What is known of a branch that stands, when HEAD has moved on. */
export interface Rebuild {
  /** Merging the branch into HEAD has no conflict. */
  readonly mergesCleanly: boolean;
  /** What merging gives still undoes the cause. */
  readonly passesCheck: boolean;
  readonly approved: boolean;
  readonly pushedAtMs: number;
  readonly nowMs: number;
}

/** Milliseconds until the branch is made anew on HEAD (design rule 6); `undefined`: it stays as it is. */
export function msUntilRebuild({ mergesCleanly, passesCheck, approved, pushedAtMs, nowMs }: Rebuild): number | undefined {
  if (mergesCleanly && (passesCheck || approved)) return undefined;
  return Math.max(0, pushedAtMs + rebuildIntervalMs - nowMs);
}
