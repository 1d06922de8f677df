import { kinds } from "../api/kinds.ts";
import { apiVersion } from "../api/meta.ts";
import type { Kube } from "../kube/kube.ts";
import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";

const againMs = 2_000;

/**
 * Says which of our kinds the API server does not know, and when it knows them all. Without this a controller whose
 * CustomResourceDefinitions are missing would look at rest. Resolves when all are known or the signal aborts; never rejects.
 */
export async function tellMissingKinds(
  { kube, clock, log }: { kube: Kube; clock: Clock; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  let told = "";
  while (!signal.aborted) {
    try {
      const missing = await missingKinds(kube, signal);
      if (missing === "" && told !== "") log.info({}, "the API server knows all kinds now");
      if (missing === "") return;
      if (missing !== told) log.error({ missing, apiVersion, wayOut: "kubectl apply --server-side -f crds/" }, "the API server lacks our CustomResourceDefinitions, waiting for them");
      told = missing;
    } catch (error) {
      if (!signal.aborted) log.debug({ error: messageOf(error) }, "the API server could not be asked for its kinds");
    }
    await clock.sleep(againMs, signal).catch(() => {});
  }
}

async function missingKinds(kube: Kube, signal: AbortSignal): Promise<string> {
  const found = await Promise.all(kinds.map(({ kind }) => kube.resource({ apiVersion, kind }, signal)));
  return kinds.filter((_, index) => !found[index]).map(({ kind }) => kind).join(", ");
}
