import { apiVersion } from "../../../src/api/meta.ts";
import { isRecord } from "../../../src/lib/json.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { allBecome, apply, inBatches, removeAll } from "../cluster.ts";
import type { Ground } from "../ground.ts";
import { canaryOf, deploymentOf, failsFrom, never, type Release, type ReleaseOptions } from "../release.ts";
import type { Scenario } from "../row.ts";

/** Many releases whose checks begin to fail in the same second. */
export const together: Scenario = {
  name: "together",
  summary: "100 canaries fail at once",
  run: async (ground, signal) => {
    const count = ground.quick ? 20 : 100;
    return ground.withSerin(async () => {
      const namespace = ground.name("together");
      await apply(ground, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }, signal);
      const all = Array.from({ length: count }, (_, index): Release => ({ namespace, name: `shop-${String(index).padStart(3, "0")}` }));
      await inBatches(all, async (release) => {
        await apply(ground, deploymentOf(release, "1", { image: "idle" }), signal);
        await apply(ground, canaryOf(release, failingFrom(never)), signal);
      });
      await allIn(ground, { namespace, count, phase: "Initialized" }, signal);
      // All are well under way when the moment comes, and none has ended.
      const moment = Math.floor(systemClock.nowMs() / 1_000) + (ground.quick ? 20 : 60);
      await inBatches(all, async (release) => apply(ground, canaryOf(release, failingFrom(moment)), signal));
      await inBatches(all, async (release) => apply(ground, deploymentOf(release, "2", { image: "idle" }), signal));
      const times: number[] = [];
      await allReturned(ground, { namespace, count, times }, signal);
      const spread = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1_000;
      ground.say(`${count} canaries: first to last ${spread.toFixed(2)} s`);
      await removeAll(ground, namespace, signal);
      const work = `${count} canaries fail at once`;
      const why =
        "each is noticed by its own check, once a second, and two cores then answer a hundred queries and several hundred writes for all of them, the work of Prometheus, the API server and the gateway included.";
      return { figures: [{ work, what: "first to last route back at the primary", value: spread, unit: "s", limit: 2, peer: "ticks stretch to 20 s", why }] };
    });
  },
};

/** Every one is checked each second, at a weight that it keeps: what is measured is the way back, not a hundred steps a second. */
function failingFrom(moment: number): ReleaseOptions {
  return { image: "idle", analysis: failsFrom(moment, { stepWeight: 50, maxWeight: 50, minDuration: "30m" }) };
}

function allIn(ground: Ground, { namespace, count, phase }: { namespace: string; count: number; phase: string }, signal: AbortSignal): Promise<number> {
  const kind = { apiVersion, kind: "Canary" };
  return allBecome(ground.kube, { kind, namespace, count }, ({ status }) => isRecord(status) && status["phase"] === phase, signal);
}

/** Notes when each route gives the canary nothing again, after it had given it something. */
async function allReturned(
  { kube }: Ground,
  { namespace, count, times }: { namespace: string; count: number; times: number[] },
  signal: AbortSignal,
): Promise<void> {
  const kind = { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute" };
  const [shifted, back] = [new Set<string>(), new Set<string>()];
  await allBecome(kube, { kind, namespace, count }, ({ metadata: { name }, spec }) => {
    const weights = JSON.stringify(spec).match(/"name":"[^"]+-canary"[^}]*"weight":\d+|"weight":\d+[^}]*-canary/g) ?? [];
    const isZero = weights.every((text) => /"weight":0\b/.test(text));
    if (!isZero) shifted.add(name);
    if (isZero && shifted.has(name) && !back.has(name)) {
      back.add(name);
      times.push(performance.now());
    }
    return back.has(name);
  }, signal);
}
