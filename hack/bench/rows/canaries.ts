import { apiVersion } from "../../../src/api/meta.ts";
import { isRecord } from "../../../src/lib/json.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { describeRequests, total } from "../audit.ts";
import { allBecome, apply, inBatches } from "../cluster.ts";
import { createFleet, fleetReady } from "../fleet.ts";
import type { Ground } from "../ground.ts";
import { indexes } from "../manifests.ts";
import { canaryOf, deploymentOf, failsFrom, phase, type Release } from "../release.ts";
import type { Curve, Figure, Scenario } from "../row.ts";
import type { Serin } from "../serin.ts";

const mostCanaries = 1_000;
const quietMs = 2_000;
const releasesEach = 5;
/** After many were made: endpoints, routes and statuses that others still write. */
const settleMs = 10_000;
const idle = { image: "idle" as const, analysis: { ...failsFrom(32_503_680_000, { stepWeights: [10, 20] }), interval: "10s" } };
/** One that is released again and again beside the idle ones. */
const busy = { image: "idle" as const, analysis: failsFrom(32_503_680_000, { stepWeights: [10, 20] }) };

/** Canaries that wait for a change, what one release costs beside them, and how much memory all of it takes. */
export const canaries: Scenario = {
  name: "canaries",
  summary: "10, 100 and 1,000 idle canaries, one release beside them, memory with 1,000 Syncs and 1,000 canaries",
  limitMs: 1_440_000,
  run: async (ground, signal) => {
    const counts = ground.quick ? [3, 10] : [10, 100, mostCanaries];
    return ground.withSerin(async (serin) => {
      const at: Place = { ground, serin, namespace: ground.name("canaries"), signal };
      const figures: Figure[] = [];
      const [cpu, requests]: [Curve["points"], Curve["points"]] = [[], []];
      const one: Release = { namespace: at.namespace, name: "busy" };
      await apply(ground, { apiVersion: "v1", kind: "Namespace", metadata: { name: at.namespace } }, signal);
      await underWay(at, one);
      let made = 0;
      for (const count of counts) {
        await make(at, indexes(count).slice(made));
        made = count;
        await allInitialized(at, count + 1);
        await targetsEmpty(at, count + 1);
        await systemClock.sleep(settleMs, signal);
        figures.push(...(await atRest(at, count)));
        const cost = await middleRelease(at, one, String(count));
        cpu.push({ beside: count, value: cost.cpuMs });
        requests.push({ beside: count, value: cost.requests });
      }
      figures.push(...besideFigures({ cpu, requests }), await memory(at, made));
      const others = "idle canaries";
      return {
        figures,
        curves: [
          { title: "CPU of one release", others, unit: "ms", points: cpu },
          { title: "API requests of one release", others, unit: "requests", points: requests },
        ],
      };
    });
  },
};

interface Place {
  readonly ground: Ground;
  readonly serin: Serin;
  readonly namespace: string;
  readonly signal: AbortSignal;
}

async function underWay(at: Place, one: Release): Promise<void> {
  const { ground, signal } = at;
  await apply(ground, deploymentOf(one, "1", busy), signal);
  await apply(ground, canaryOf(one, busy), signal);
  await phase(ground, one, "Initialized", signal);
  // The first one also pays for what every process does once.
  await release(at, one, "none");
}

async function make({ ground, namespace, signal }: Place, which: readonly number[]): Promise<void> {
  await inBatches(which, async (index) => {
    const release: Release = { namespace, name: `shop-${String(index).padStart(5, "0")}` };
    await apply(ground, deploymentOf(release, "1", idle), signal);
    await apply(ground, canaryOf(release, idle), signal);
  });
}

function allInitialized({ ground, namespace, signal }: Place, count: number): Promise<number> {
  const resting = new Set<unknown>(["Initialized", "Succeeded"]);
  const kind = { apiVersion, kind: "Canary" };
  return allBecome(ground.kube, { kind, namespace, count }, ({ status }) => isRecord(status) && resting.has(status["phase"]), signal);
}

/** Waits until the targets' own pods have ended, which takes the cluster much longer than the Canaries. */
async function targetsEmpty({ ground, namespace, signal }: Place, primaries: number): Promise<void> {
  const pods = async (): Promise<number> => (await ground.kube.list({ apiVersion: "v1", kind: "Pod" }, { namespace }, signal)).length;
  while ((await pods()) > primaries) await systemClock.sleep(1_000, signal);
}

async function atRest({ ground, serin, signal }: Place, count: number): Promise<Figure[]> {
  const minutes = ground.quick ? 0.5 : count < mostCanaries ? 1 : 2;
  await ground.audit.settled(ground.audit.mark(), quietMs);
  const [mark, cpu, from] = [ground.audit.mark(), serin.usage().cpuMs, performance.now()];
  await systemClock.sleep(minutes * 60_000, signal);
  const percent = (100 * (serin.usage().cpuMs - cpu)) / (performance.now() - from);
  const requests = ground.audit.since(mark);
  ground.say(`${count} idle canaries: ${percent.toFixed(2)} % of a core, ${describeRequests(requests)}`);
  const work = `${count.toLocaleString("en")} idle canaries, ${minutes} min at interval 10s`;
  return [
    { work, what: "requests", value: total(requests), unit: "requests", limit: 0, peer: "60 a minute each" },
    { work, what: "CPU", value: percent, unit: "%", limit: 0.5, peer: count === mostCanaries ? "10.8 % at 201" : undefined },
  ];
}

/** The middle of several releases, of either figure. */
async function middleRelease(at: Place, one: Release, beside: string): Promise<{ cpuMs: number; requests: number }> {
  const costs: Awaited<ReturnType<typeof release>>[] = [];
  for (const turn of indexes(releasesEach)) costs.push(await release(at, one, `${beside}-${turn}`));
  return { cpuMs: middleOf(costs.map(({ cpuMs }) => cpuMs)), requests: middleOf(costs.map(({ requests }) => requests)) };
}

function middleOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** Two steps at interval 1s and a promotion; the check asks Prometheus and passes. */
async function release({ ground, serin, signal }: Place, one: Release, tag: string): Promise<{ cpuMs: number; requests: number }> {
  await ground.audit.settled(ground.audit.mark(), quietMs);
  const [mark, cpu] = [ground.audit.mark(), serin.usage().cpuMs];
  const tagged = `beside-${tag}`;
  await apply(ground, deploymentOf(one, tagged, busy), signal);
  await phase(ground, one, "Progressing", signal);
  await phase(ground, one, "Succeeded", signal);
  const requests = await ground.audit.settled(mark, quietMs);
  const cpuMs = serin.usage().cpuMs - cpu;
  ground.say(`one release beside ${tag}: CPU ${cpuMs} ms, ${describeRequests(requests)}`);
  return { cpuMs, requests: total(requests) };
}

const releaseWhy =
  "a release takes about ten seconds, in which the idle ones look after themselves as in the rows above, and the kernel counts in hundredths of a second.";

function besideFigures({ cpu, requests }: { cpu: Curve["points"]; requests: Curve["points"] }): Figure[] {
  const [fewest, most] = [cpu[0]?.beside ?? 0, cpu.at(-1)?.beside ?? 0];
  const work = `one release beside ${most.toLocaleString("en")} idle canaries`;
  const beside = (points: Curve["points"]) => ({ what: `beside ${fewest}`, value: points[0]?.value ?? 0 });
  return [
    { work, what: "CPU", value: cpu.at(-1)?.value ?? 0, unit: "ms", beside: beside(cpu), limit: 1.25, why: releaseWhy },
    { work, what: "requests", value: requests.at(-1)?.value ?? 0, unit: "requests", beside: beside(requests), limit: 1.1 },
  ];
}

async function memory({ ground, serin, signal }: Place, count: number): Promise<Figure> {
  const fleet = await createFleet(ground, { namespace: ground.name("memory"), count }, signal);
  await fleetReady(ground, fleet, signal);
  await systemClock.sleep(settleMs, signal);
  const value = serin.usage().residentMiB;
  const why =
    "the two processes take about 160 MiB before they have anything to do, most of it Node and the program itself; the rest are copies of the watched objects and what the heap may grow before it is cleared.";
  const work = `memory with ${count.toLocaleString("en")} Syncs and ${count.toLocaleString("en")} canaries`;
  return { work, what: "resident, controller and Git process", value, unit: "MiB", limit: 300, peer: "200 and 93 MB at a tenth of it", why };
}
