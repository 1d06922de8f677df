import { apiVersion } from "../../../src/api/meta.ts";
import { isRecord } from "../../../src/lib/json.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { describeRequests, total } from "../audit.ts";
import { apply, becomes, removeAll } from "../cluster.ts";
import type { Ground } from "../ground.ts";
import { deploymentOf, peersAnalysis, phase, type Release, startUsers, underCanary } from "../release.ts";
import type { Figure, Scenario } from "../row.ts";

const quietMs = 4_000;

/** One release that is fine, one that answers nothing but errors, one whose pods die. */
export const releases: Scenario = {
  name: "releases",
  summary: "a healthy rollout, a total failure at 10, 20 and 100 requests a second, canary pods that die at weight 40",
  run: async (ground, signal) => {
    const figures: Figure[] = [...(await healthy(ground, signal))];
    for (const rate of ground.quick ? [20] : [10, 20, 100]) figures.push(...(await totalFailure(ground, rate, signal)));
    figures.push(await dying(ground, signal));
    return { figures };
  },
};

const newRelease = (ground: Ground, prefix: string): Release => ({ namespace: ground.name(prefix), name: "shop" });

async function healthy(ground: Ground, signal: AbortSignal): Promise<Figure[]> {
  const release = newRelease(ground, "healthy");
  const options = { replicas: 2, analysis: peersAnalysis(ground.quick ? "2s" : "10s") };
  const work = "healthy rollout, five steps of 10 %";
  return ground.withSerin(async () => {
    await underCanary(ground, release, options, signal);
    const users = await startUsers(ground, release, 20, signal);
    await ground.audit.settled(ground.audit.mark(), quietMs);
    const [mark, start] = [ground.audit.mark(), performance.now()];
    await apply(ground, deploymentOf(release, "2", options), signal);
    const seconds = ((await phase(ground, release, "Succeeded", signal)) - start) / 1_000;
    const requests = await ground.audit.settled(mark, quietMs);
    await users.stop();
    const { failed, lost } = users.load.snapshot();
    ground.say(`${work}: ${seconds.toFixed(1)} s, ${describeRequests(requests)}`);
    await removeAll(ground, release.namespace, signal);
    return [
      { work, what: "requests", value: total(requests), unit: "requests", limit: 60, peer: "147-157" },
      { work, what: "time", value: seconds, unit: "s", peer: "80-89 s" },
      { work, what: "failed requests of users", value: failed + lost, unit: "failed requests", limit: 0 },
    ];
  });
}

async function totalFailure(ground: Ground, rate: number, signal: AbortSignal): Promise<Figure[]> {
  const release = newRelease(ground, "failure");
  const options = { replicas: 2, analysis: peersAnalysis(ground.quick ? "2s" : "10s") };
  const work = `total failure at ${rate} requests a second`;
  return ground.withSerin(async () => {
    await underCanary(ground, release, options, signal);
    const users = await startUsers(ground, release, rate, signal);
    const failing = phase(ground, release, "Failed", signal);
    const start = performance.now();
    await apply(ground, deploymentOf(release, "bad", options), signal);
    const decidedAt = await failing;
    await systemClock.sleep(quietMs, signal);
    await users.stop();
    const { failed, lost } = users.load.snapshot();
    const last = users.lastAnswerOf("bad");
    if (last === undefined) throw new Error(`${work}: no user met the bad version`);
    const { reason } = await failureOf(ground, release, signal);
    if (reason !== "CheckFailed") throw new Error(`${work}: it failed for another reason, ${String(reason)}`);
    ground.say(`${work}: decided after ${seconds(decidedAt - start)} s, last bad answer ${seconds(last - decidedAt)} s later, ${failed} failed`);
    await removeAll(ground, release.namespace, signal);
    return [
      { work, what: "deciding check to the last bad answer", value: Math.max(0, last - decidedAt) / 1_000, unit: "s", limit: 1, peer: "59-61 s in all" },
      { work, what: "failed requests", value: failed + lost, unit: "failed requests", ...(rate === 100 ? { peer: "570-646" } : {}) },
    ];
  });
}

async function dying(ground: Ground, signal: AbortSignal): Promise<Figure> {
  const release = newRelease(ground, "dying");
  const options = { replicas: 2, analysis: { ...peersAnalysis("10s"), stepWeight: 40, maxWeight: 80 } };
  const work = "canary pods die at weight 40, 20 requests a second";
  return ground.withSerin(async () => {
    await underCanary(ground, release, options, signal);
    const users = await startUsers(ground, release, 20, signal);
    const loaded = hasWeight(ground, { release, weight: 40 }, signal);
    const ended = phase(ground, release, "Failed", signal);
    await apply(ground, deploymentOf(release, "dying", options), signal);
    await Promise.all([loaded, ended]);
    await systemClock.sleep(quietMs, signal);
    await users.stop();
    const { failed, lost, versions } = users.load.snapshot();
    if (!versions.get("dying")?.answered) throw new Error(`${work}: no user met the version whose pods die`);
    ground.say(`${work}: ${failed} failed, ${lost} lost`);
    await removeAll(ground, release.namespace, signal);
    return { work, what: "failed requests", value: failed + lost, unit: "failed requests", limit: 40, peer: "521-536" };
  });
}

/** Resolves when its canary has this weight. */
function hasWeight({ kube }: Ground, { release, weight }: { release: Release; weight: number }, signal: AbortSignal): Promise<number> {
  const canary = { apiVersion, kind: "Canary", ...release };
  return becomes(kube, canary, ({ status }) => isRecord(status) && status["canaryWeight"] === weight, signal);
}

/** Why it was rolled back. */
async function failureOf({ kube }: Ground, release: Release, signal: AbortSignal): Promise<{ reason?: unknown }> {
  const canary = await kube.find({ apiVersion, kind: "Canary", ...release }, signal);
  const status = canary?.["status"];
  return isRecord(status) && isRecord(status["failure"]) ? status["failure"] : {};
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(2);
}
