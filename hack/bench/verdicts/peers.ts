import { fixedPlayer, lastMinute, type NewPlayer, p99 } from "./player.ts";
import type { Observed } from "./traffic.ts";

const minSuccess = 0.99;
const maxMs = 500;

/** What both peers ask of the canary's last minute: "no number" is a failed check for both. */
function passes(scrapes: readonly Observed[]): "pass" | "fail" | "inconclusive" {
  const canary = lastMinute(scrapes).map((each) => each.canary);
  const requests = canary.reduce((sum, { requests: some }) => sum + some, 0);
  if (requests === 0) return "inconclusive";
  const errors = canary.reduce((sum, side) => sum + side.errors, 0);
  return requests - errors < minSuccess * requests || p99(canary) > maxMs ? "fail" : "pass";
}

type Passes = ReturnType<typeof passes>;

/** Failed checks as Flagger counts them: a check without a number fails, and the check after the one that reaches the threshold decides. */
export function countAsFlagger(verdict: Passes, { failedChecks, threshold }: { failedChecks: number; threshold: number }) {
  if (failedChecks >= threshold) return { failedChecks, rollBack: true };
  return { failedChecks: failedChecks + (verdict === "pass" ? 0 : 1), rollBack: false };
}

/** Flagger: success rate ≥ 99 % and p99 ≤ 500 ms each minute, `threshold` failed checks, counted as Flagger does. */
export function flagger(threshold: number): NewPlayer {
  return () => {
    const scrapes: Observed[] = [];
    let failedChecks = 0;
    return fixedPlayer(
      (observed) => scrapes.push(observed),
      () => {
        const verdict = passes(scrapes);
        const counted = countAsFlagger(verdict, { failedChecks, threshold });
        failedChecks = counted.failedChecks;
        if (counted.rollBack) return "rollBack";
        return verdict === "pass" ? "advance" : "stay";
      },
    );
  };
}

/** Argo Rollouts: the same measurements in a background analysis; the weight goes on meanwhile. More than `failureLimit` fail it. */
export function argo(failureLimit: number): NewPlayer {
  return () => {
    const scrapes: Observed[] = [];
    let failed = 0;
    return fixedPlayer(
      (observed) => scrapes.push(observed),
      () => {
        if (passes(scrapes) !== "pass") failed++;
        return failed > failureLimit ? "rollBack" : "advance";
      },
    );
  };
}

/** Kayenta: Mann-Whitney (98 %, effect 0.25 of the Hodges-Lehmann estimate) on all points so far against stable's; no data is 0. */
export const kayenta: NewPlayer = () => {
  const points: Record<"errors" | "latency", Points> = { errors: { canary: [], stable: [] }, latency: { canary: [], stable: [] } };
  return fixedPlayer(
    ({ canary, stable }) => {
      points.errors.canary.push(canary.requests > 0 ? canary.errors / canary.requests : 0);
      points.errors.stable.push(stable.requests > 0 ? stable.errors / stable.requests : 0);
      points.latency.canary.push(canary.requests > 0 ? p99([canary]) : 0);
      points.latency.stable.push(stable.requests > 0 ? p99([stable]) : 0);
    },
    () => (isHigh(points.errors) || isHigh(points.latency) ? "rollBack" : "advance"),
  );
};

interface Points {
  readonly canary: number[];
  readonly stable: number[];
}

const z98 = 2.326;
const effect = 0.25;

function isHigh({ canary, stable }: Points): boolean {
  const pairs = canary.length * stable.length;
  const lowest = Math.floor(pairs / 2 - 0.5 - z98 * Math.sqrt((pairs * (canary.length + stable.length + 1)) / 12));
  if (lowest < 1) return false;
  const differences = Float64Array.from(canary.flatMap((mine) => stable.map((theirs) => mine - theirs))).sort();
  const middle = Math.floor(pairs / 2);
  const median = pairs % 2 === 1 ? (differences[middle] ?? 0) : ((differences[middle - 1] ?? 0) + (differences[middle] ?? 0)) / 2;
  return (differences[lowest - 1] ?? 0) > effect * Math.abs(median) + 1e-15;
}
