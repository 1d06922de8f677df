import type { Tally } from "./stream.ts";

/** φ̂ when stable's pods cannot be told apart, or there is but one: that a retry or a burst makes about every fourth error a repeat. */
export const assumedDispersion = 1.25;
/** How much the assumption weighs against what was measured, in expected errors. */
const assumptionWeight = 20;

/**
 * φ̂: how large the clumps are that stable's errors come in; 1 means one by one. Over blocks of five minutes in the last hour,
 * with O a pod's errors, e = the block's errors × the pod's share of its requests:
 *
 *   φ̂ = max(1, (Σ(O−e)² + 20·1.25) / (Σ e(1−share) + 20))
 *
 * Pods are compared within a block, so neither a busy hour nor a shared incident counts; bursts, batches of retries and pods
 * that are worse than others do. Source: analysis §6.
 * @param blocks for each block the tally of every pod
 */
export function dispersionOf(blocks: readonly (readonly Readonly<Tally>[])[]): number {
  let [squares, expected] = [assumptionWeight * assumedDispersion, assumptionWeight];
  for (const pods of blocks) {
    const requests = pods.reduce((sum, pod) => sum + pod.requests, 0);
    const errors = pods.reduce((sum, pod) => sum + pod.bad, 0);
    if (requests === 0) continue;
    for (const pod of pods) {
      const share = pod.requests / requests;
      squares += (pod.bad - errors * share) ** 2;
      expected += errors * share * (1 - share);
    }
  }
  return Math.max(1, squares / expected);
}
