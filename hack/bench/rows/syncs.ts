import { systemClock } from "../../../src/lib/clock.ts";
import { describeRequests, total } from "../audit.ts";
import { bareApplies } from "../bare.ts";
import { becomes, hook } from "../cluster.ts";
import { changeOne, createFleet, type Fleet, fleetReady, objectsEach } from "../fleet.ts";
import type { Ground } from "../ground.ts";
import type { Curve, Figure, Scenario } from "../row.ts";
import type { Serin } from "../serin.ts";

const quietMs = 2_000;
/** The kernel counts in hundredths of a second: a start is measured when it is over. */
const settleMs = 3_000;

/** Many Syncs of four objects, all of one repository. */
export const syncs: Scenario = {
  name: "syncs",
  summary: "1,000 Syncs of 4 objects of one repository: cold, one commit that changes one of them, nothing new",
  limitMs: 600_000,
  run: async (ground, signal) => {
    const counts = ground.quick ? [5, 10, 20] : [10, 100, 1_000];
    const most = counts.at(-1) ?? 0;
    const startMs = await startCost(ground, signal);
    const points: Curve["points"] = [];
    const changes: Curve["points"] = [];
    const figures: Figure[] = [];
    for (const count of counts) {
      const fleet = await createFleet(ground, { namespace: ground.name("syncs"), count }, signal);
      const [bare = 0] = count === most ? await bareApplies(ground, count * objectsEach, [1], signal) : [];
      await ground.withSerin(async (serin) => {
        const cold = await measureCold(ground, { serin, fleet, startMs }, signal);
        points.push({ beside: count, value: cold.cpuMs });
        const change = await oneChange(ground, { serin, fleet }, signal);
        changes.push({ beside: count, value: change.cpuMs });
        if (count < most) return;
        figures.push(...coldFigures({ count, cold, bare, more: costOfMore(points) }), ...changeFigures({ count, change, changes }));
        figures.push(...(await atRest(ground, { serin, fleet }, signal)));
      });
      await ground.sweep(signal);
    }
    const peer = { name: "Flux", points: [{ beside: 100, value: 280 }, { beside: 300, value: 580 }, { beside: 1_000, value: 1_400 }] };
    const others = "Syncs of one repository";
    return {
      figures,
      curves: [
        { title: "CPU of each Sync, cold", others, unit: "ms", points: points.map(({ beside, value }) => ({ beside, value: value / beside })), peer },
        { title: "CPU of a commit that changes one Sync", others, unit: "ms", points: changes },
      ],
    };
  },
};

interface Cold {
  readonly seconds: number;
  readonly requests: number;
  readonly cpuMs: number;
}

/** CPU of a start with nothing to do. */
async function startCost(ground: Ground, signal: AbortSignal): Promise<number> {
  return ground.withSerin(async (serin) => {
    await systemClock.sleep(settleMs, signal);
    return serin.usage().cpuMs;
  });
}

/** From the start of a controller that finds them all new. */
async function measureCold(
  ground: Ground,
  { serin, fleet, startMs }: { serin: Serin; fleet: Fleet; startMs: number },
  signal: AbortSignal,
): Promise<Cold> {
  const [mark, start] = [ground.audit.mark(), performance.now()];
  const seconds = ((await fleetReady(ground, fleet, signal)) - start) / 1_000;
  await systemClock.sleep(settleMs, signal);
  const cpuMs = Math.max(0, serin.usage().cpuMs - startMs);
  const requests = await ground.audit.settled(mark, quietMs);
  ground.say(`${fleet.count} Syncs, cold: ${seconds.toFixed(2)} s, CPU ${cpuMs} ms, ${describeRequests(requests)}`);
  return { seconds, cpuMs, requests: total(requests) };
}

/** What each further Sync costs, at first and in the end: what every start costs is in neither. */
function costOfMore(totals: Curve["points"]): { first: More; last: More } {
  const steps = totals.slice(1).flatMap((point, index): More[] => {
    const before = totals[index];
    return before ? [{ from: before.beside, to: point.beside, cpuMs: (point.value - before.value) / (point.beside - before.beside) }] : [];
  });
  const [first, last] = [steps[0], steps.at(-1)];
  if (!first || !last) throw new Error("it takes three sizes to see how cost grows");
  return { first, last };
}

interface More {
  readonly from: number;
  readonly to: number;
  readonly cpuMs: number;
}

function coldFigures({ count, cold, bare, more }: { count: number; cold: Cold; bare: number; more: { first: More; last: More } }): Figure[] {
  const work = `${count.toLocaleString("en")} Syncs of ${objectsEach} objects, cold`;
  const sizes = ({ from, to }: More): string => `from ${from.toLocaleString("en")} to ${to.toLocaleString("en")}`;
  return [
    {
      work,
      what: "time until all are Ready",
      value: cold.seconds,
      unit: "s",
      beside: { what: `${(count * objectsEach).toLocaleString("en")} bare applies`, value: bare },
      limit: 1.5,
      peer: "28 s at 100, 207 s at 300",
      why: "each Sync makes four requests beside its four applies: its finalizer, its inventory before anything is applied, so that a crash leaves no orphans, its result, and an event; and Serin shares two cores with the API server, of which a bare client needs next to nothing.",
    },
    { work, what: "requests", value: cold.requests, unit: "requests" },
    {
      work,
      what: `CPU of each further Sync, ${sizes(more.last)}`,
      value: more.last.cpuMs,
      unit: "ms",
      beside: { what: sizes(more.first), value: more.first.cpuMs },
      limit: 1.25,
      peer: "280 ms at 100, 1,400 ms at 1,000",
    },
  ];
}

interface Running {
  readonly serin: Serin;
  readonly fleet: Fleet;
}

const changesEach = 3;

interface Change {
  readonly cpuMs: number;
  readonly requests: number;
}

/** Several commits that change one Sync, one after the other: the cost of each. */
async function oneChange(ground: Ground, { serin, fleet }: Running, signal: AbortSignal): Promise<Change> {
  let [cpuMs, requests] = [0, 0];
  for (const version of [2, 3, 4]) {
    await ground.audit.settled(ground.audit.mark(), quietMs);
    const { name, isChanged } = changeOne(fleet, version);
    const changed = becomes(ground.kube, { apiVersion: "v1", kind: "ConfigMap", namespace: fleet.namespace, name }, isChanged, signal);
    const [mark, cpu] = [ground.audit.mark(), serin.usage().cpuMs];
    await hook(serin, fleet.namespace);
    await changed;
    const asked = await ground.audit.settled(mark, quietMs);
    cpuMs += (serin.usage().cpuMs - cpu) / changesEach;
    // The first finds out who sent the webhook.
    requests = total(asked);
    ground.say(`one of ${fleet.count} Syncs: CPU ${serin.usage().cpuMs - cpu} ms, ${describeRequests(asked)}`);
  }
  return { cpuMs, requests };
}

function changeFigures({ count, change, changes }: { count: number; change: Change; changes: Curve["points"] }): Figure[] {
  const work = `one commit that changes 1 of ${count.toLocaleString("en")} Syncs`;
  const [first] = changes;
  return [
    { work, what: "requests", value: change.requests, unit: "requests", limit: 10, peer: "1,705 at 100" },
    {
      work,
      what: "CPU",
      value: change.cpuMs,
      unit: "ms",
      beside: { what: `with ${first?.beside ?? 0} Syncs`, value: first?.value ?? 0 },
      limit: 1.25,
      peer: "33 s at 100",
      why: "a commit wakes every Sync of its repository, and each finds by one comparison, in about 0.15 ms, that nothing of it changed.",
    },
  ];
}

const restWhy =
  "each Sync compares its objects with what it applied every interval, in about 0.14 ms; an interval of a minute costs a sixth.";

async function atRest(ground: Ground, { serin, fleet }: Running, signal: AbortSignal): Promise<Figure[]> {
  const minutes = ground.quick ? 0.5 : 2;
  await ground.audit.settled(ground.audit.mark(), quietMs);
  const [mark, cpu, from] = [ground.audit.mark(), serin.usage().cpuMs, performance.now()];
  await systemClock.sleep(minutes * 60_000, signal);
  const percent = (100 * (serin.usage().cpuMs - cpu)) / (performance.now() - from);
  const requests = ground.audit.since(mark);
  ground.say(`${fleet.count} Syncs at rest: ${percent.toFixed(2)} % of a core, ${describeRequests(requests)}`);
  const work = `${fleet.count.toLocaleString("en")} Syncs, nothing new, ${minutes} min at interval 10s`;
  return [
    { work, what: "requests", value: total(requests), unit: "requests", limit: 0, peer: "17 a Sync and interval" },
    { work, what: "CPU", value: percent, unit: "%", limit: 0.5, peer: "49 % at 100", why: restWhy },
  ];
}
