import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crdOf } from "../../../src/api/crd.ts";
import { kinds } from "../../../src/api/kinds.ts";
import { createKube } from "../../../src/kube/client.ts";
import { serverAt } from "../../../src/kube/kubeconfig.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { startApiServer } from "../../../src/sandbox/api-server/api-server.ts";
import { becomes, hook } from "../cluster.ts";
import { changeOne, createFleet, type Fleet, fleetReady } from "../fleet.ts";
import type { Ground } from "../ground.ts";
import type { Curve, Scenario } from "../row.ts";
import type { Serin } from "../serin.ts";

const settleMs = 5_000;
const changesEach = 5;
/** As many as a repository of a large company has; more of them, not larger ones, make up the rest. */
const perRepository = 1_000;

/** One Sync beside very many others, on the API server of the sandbox: a real one takes too long to fill. */
export const sandbox: Scenario = {
  name: "sandbox",
  summary: "one Sync changes beside 10, 100, 1,000 and 10,000 idle ones of other repositories, on the sandbox's API server",
  limitMs: 480_000,
  run: async (ground, signal) => {
    let requests = 0;
    const api = await startApiServer({ onRequest: ({ verb, resource }) => void (requests += verb === "watch" || resource === "leases" ? 0 : 1) });
    const kube = createKube(serverAt(api.url));
    try {
      for (const kind of kinds) await kube.apply(crdOf(kind), { fieldManager: "bench" }, signal);
      const dir = join(ground.facts.dir, ground.name("sandbox"));
      mkdirSync(dir, { recursive: true });
      writeFileSync(join(dir, "kubeconfig"), api.kubeconfig());
      const place = { ...ground, kube };
      const measured = await ground.withSerin(
        (serin) => beside({ ground: place, serin, requests: () => requests }, signal),
        { KUBECONFIG: join(dir, "kubeconfig") },
      );
      return resultOf(measured);
    } finally {
      await kube.close();
      await api.close();
    }
  },
};

interface Place {
  readonly ground: Ground;
  readonly serin: Serin;
  readonly requests: () => number;
}

interface Measured {
  readonly beside: number;
  readonly cpuMs: number;
  readonly requests: number;
}

async function beside(place: Place, signal: AbortSignal): Promise<Measured[]> {
  const { ground } = place;
  const one = await fill(ground, 1, signal);
  // The first change also pays for what every process does once.
  await change(place, { one, version: 2 }, signal);
  const measured: Measured[] = [];
  let idle = 0;
  for (const count of ground.quick ? [10, 50] : [10, 100, 1_000, 10_000]) {
    for (; idle < count; idle += (await fill(ground, Math.min(perRepository, count - idle), signal)).count);
    await systemClock.sleep(settleMs, signal);
    // The first changes clear away what making the others has left: half of their time is garbage collection.
    await change(place, { one, version: 100 * count }, signal);
    measured.push({ beside: count, ...(await change(place, { one, version: 100 * count + changesEach }, signal)) });
  }
  return measured;
}

/** Syncs of one small object, which are left alone from then on. */
async function fill(ground: Ground, count: number, signal: AbortSignal): Promise<Fleet> {
  const fleet = await createFleet(ground, { namespace: ground.name("sandbox"), count, objects: 1, interval: "1h" }, signal);
  await fleetReady(ground, fleet, signal);
  return fleet;
}

async function change(
  { ground, serin, requests }: Place,
  { one, version }: { one: Fleet; version: number },
  signal: AbortSignal,
): Promise<Omit<Measured, "beside">> {
  const before = { cpuMs: serin.usage().cpuMs, requests: requests(), own: 0 };
  for (let turn = 0; turn < changesEach; turn++) {
    const { name, isChanged } = changeOne(one, version + turn);
    const asked = requests();
    const changed = becomes(ground.kube, { apiVersion: "v1", kind: "ConfigMap", namespace: one.namespace, name }, isChanged, signal);
    await systemClock.sleep(200, signal);
    before.own += requests() - asked;
    await hook(serin, one.namespace);
    await changed;
    await systemClock.sleep(1_000, signal);
  }
  const cost = {
    cpuMs: (serin.usage().cpuMs - before.cpuMs) / changesEach,
    requests: (requests() - before.requests - before.own) / changesEach,
  };
  ground.say(`one Sync changes: CPU ${cost.cpuMs.toFixed(0)} ms, ${cost.requests.toFixed(1)} requests`);
  return cost;
}

function resultOf(measured: readonly Measured[]): Awaited<ReturnType<Scenario["run"]>> {
  const points: Curve["points"] = measured.map(({ beside: count, cpuMs }) => ({ beside: count, value: cpuMs }));
  const [first, last] = [measured[0], measured.at(-1)];
  if (!first || !last) throw new Error("nothing was measured");
  const work = `one Sync changes beside ${last.beside.toLocaleString("en")} idle ones (sandbox)`;
  const what = `beside ${first.beside}`;
  const why = "one clearing of a heap that holds all of them falls into the measured seconds; nothing that a change does looks at the others.";
  return {
    figures: [
      { work, what: "CPU", value: last.cpuMs, unit: "ms", beside: { what, value: first.cpuMs }, limit: 1.25, why },
      { work, what: "requests", value: last.requests, unit: "requests", beside: { what, value: first.requests }, limit: 1 },
    ],
    curves: [{ title: "CPU of one Sync that changes", others: "idle Syncs of other repositories", unit: "ms", points }],
  };
}
