import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { systemClock } from "../../src/lib/clock.ts";
import { settleAll } from "../../src/lib/parallel.ts";
import { apply } from "./cluster.ts";
import type { Ground } from "./ground.ts";
import { bareConfigMaps } from "./manifests.ts";

/** One server-side apply as it goes over the wire. */
export interface BareApply {
  readonly path: string;
  readonly body: string;
}

/** How many are under way at once: as many as a Sync's. */
const concurrency = 16;

/**
 * Seconds that so many ConfigMaps take, applied once with each of these versions in a namespace of its own. Returns when that is gone:
 * the API server would go on deleting beside what is measured next.
 */
export async function bareApplies(ground: Ground, count: number, versions: readonly number[], signal: AbortSignal): Promise<number[]> {
  const ref = { apiVersion: "v1", kind: "Namespace", name: ground.name("bare") };
  await apply(ground, { apiVersion: ref.apiVersion, kind: ref.kind, metadata: { name: ref.name } }, signal);
  const client = bareClient(ground.facts.apiServer, ground.identity.token);
  try {
    const seconds: number[] = [];
    for (const version of versions) seconds.push(await client.apply(bareConfigMaps(ref.name, count, version)));
    ground.say(`bare: ${count} applies in ${seconds.map((one) => `${one.toFixed(2)} s`).join(", ")}`);
    return seconds;
  } finally {
    client.close();
    await ground.kube.delete(ref, {}, signal);
    while (await ground.kube.find(ref, signal)) await systemClock.sleep(250, signal);
  }
}

/** Node's own https with kept connections and nothing else: what the API server can do at best. */
function bareClient(server: string, token: string): { apply(writes: readonly BareApply[]): Promise<number>; close(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency, rejectUnauthorized: false });
  const headers = { authorization: `Bearer ${token}`, accept: "application/json", "content-type": "application/apply-patch+yaml" };
  const send = ({ path, body }: BareApply): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const url = new URL(`${path}?fieldManager=bare&force=true&fieldValidation=Strict`, server);
    const sent = request(url, { method: "PATCH", agent, headers }, (response) => {
      response.resume();
      response.once("end", () => ((response.statusCode ?? 500) < 300 ? resolve() : reject(new Error(`${path}: HTTP ${response.statusCode}`))));
    });
    sent.once("error", reject);
    sent.end(body);
    return promise;
  };
  return {
    /** Seconds that they take, 16 at a time. */
    apply: async (writes) => {
      const start = performance.now();
      const results = await settleAll(writes, concurrency, send);
      const failed = results.find((result) => result.status === "rejected");
      if (failed) throw failed.reason;
      return (performance.now() - start) / 1_000;
    },
    close: () => agent.destroy(),
  };
}

/** The bearer token in a kubeconfig that the bench wrote itself. */
export function tokenIn(kubeconfig: string): string {
  const found = /token: "?([^"\s}]+)/.exec(readFileSync(kubeconfig, "utf8"));
  if (!found?.[1]) throw new Error(`${kubeconfig} has no token`);
  return found[1];
}
