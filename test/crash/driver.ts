import { setImmediate as nextTurn } from "node:timers/promises";
import type { Renderer } from "../../src/render/renderer.ts";
import { dice } from "./dice.ts";
import { sheetRenderer } from "./manifests.ts";
import type { Move, Schedule, Shape, TimedMove } from "./moves.ts";
import { atRest } from "./ends.ts";
import { calm, make } from "./people.ts";
import { type Watch, watch } from "./promises.ts";
import { type Outside, type Replica, startReplica } from "./replica.ts";
import type { Tally } from "./tally.ts";
import type { Broken } from "./watched.ts";
import { type CrashWorld, createWorld, forkWorld } from "./world.ts";

/** How a schedule went. */
export interface Outcome {
  readonly broken: Broken | undefined;
  readonly turns: number;
  readonly writes: number;
  readonly calls: number;
  readonly runs: number;
  readonly tally: Tally;
  /** What happened, line by line, when it was asked for. */
  readonly trace: readonly string[];
}

/** More turns than any world needs to come to rest. */
const maxTurns = 20_000;
/** At rest: nothing was written for this long and in this many runs of reconcilers. */
const restMs = 6 * 60_000;
const restRuns = 12;

interface Drive {
  readonly world: CrashWorld;
  readonly watch: Watch;
  readonly renderer: Renderer;
  readonly trace: string[] | undefined;
  readonly count: { turns: number; writes: number; calls: number; runs: number; lastWriteAtMs: number; runsSinceWrite: number };
  readonly moves: TimedMove[];
  replica: Replica;
  replicas: number;
  /** When the next move may be made, and how many turns are left until then. */
  next: { atMs: number; turns: number };
  calmed: boolean;
}

/** Worlds in which everything has come to rest after the first release. */
export type Beginnings = (shape: Shape) => Promise<CrashWorld>;

/** Builds each beginning when it is first asked for, and keeps it. */
export function createBeginnings(): Beginnings {
  const built = new Map<string, Promise<CrashWorld>>();
  return async (shape) => {
    const key = JSON.stringify(shape);
    const known = built.get(key) ?? firstRelease(shape);
    built.set(key, known);
    return known;
  };
}

async function firstRelease(shape: Shape): Promise<CrashWorld> {
  const quiet: Schedule = { seed: 0, shape, fromNothing: true, moves: [], kills: [], faults: [], yields: 0 };
  return withChance(quiet, async () => {
    const drive = start(await createWorld(quiet), undefined);
    await run(drive);
    return drive.world;
  });
}

/** Plays one schedule to its end. Deterministic: the same schedule goes the same way every time. */
export async function play(schedule: Schedule, beginnings: Beginnings, { traced = false } = {}): Promise<Outcome> {
  const trace: string[] | undefined = traced ? [] : undefined;
  const world = schedule.fromNothing ? await createWorld(schedule) : forkWorld(schedule, await beginnings(schedule.shape));
  return withChance(schedule, async () => {
    const drive = start(world, trace);
    await run(drive);
    const { turns, writes, calls, runs } = drive.count;
    const broken = drive.watch.broken() ?? (turns >= maxTurns ? restless(turns) : atRest(world));
    return { broken, turns, writes, calls, runs, tally: drive.watch.tally, trace: trace ?? [] };
  });
}

/** Runs to the end, and leaves nothing that would go on and draw from the chance of whatever is played next. */
async function run(drive: Drive): Promise<void> {
  while (!isOver(drive)) await turn(drive);
  drive.replica.kill();
  await nextTurn();
}

function restless(turns: number): Broken {
  return { promise: "everything comes to rest", detail: `it goes on after ${turns} turns` };
}

/** Jitter and backoff of the program draw from the schedule's seed as well. */
async function withChance<T>({ seed }: Schedule, work: () => Promise<T>): Promise<T> {
  const random = Math.random;
  const chance = dice(seed * 17 + 3);
  Math.random = () => chance.chance();
  try {
    return await work();
  } finally {
    Math.random = random;
  }
}

function start(world: CrashWorld, trace: string[] | undefined): Drive {
  const { schedule } = world;
  const count = { turns: 0, writes: 0, calls: 0, runs: 0, lastWriteAtMs: world.time.nowMs, runsSinceWrite: 0 };
  const moves = [...schedule.moves];
  const drive = { world, watch: watch(world), renderer: sheetRenderer(), trace, count, moves, replicas: 1, calmed: false };
  const next = { atMs: world.time.nowMs + (schedule.fromNothing ? 60_000 : 0), turns: 0 };
  return Object.assign(drive, { next, replica: startReplica(outsideOf(drive), 1) });
}

type Observed = Pick<Drive, "world" | "watch" | "renderer" | "trace" | "count">;

function outsideOf({ world, watch: watching, renderer, trace, count }: Observed): Outside {
  const { schedule, dice: chance, trouble } = world;
  const kills = new Map(schedule.kills.map((kill) => [kill.atWrite, kill.when]));
  const faults = new Map(schedule.faults.map((fault) => [fault.atCall, fault.how]));
  return {
    kube: world.kube,
    source: world.source,
    host: world.hosted.host,
    metrics: world.metrics,
    renderer,
    nowMs: () => world.time.nowMs,
    note: (line) => trace?.push(line()),
    onWrite: (replica) => {
      Object.assign(count, { lastWriteAtMs: world.time.nowMs, runsSinceWrite: 0 });
      watching.writes(replica);
    },
    onEnd: (kind, key, error) => watching.ends(kind, key, error),
    onDelete: (replica, ref) => watching.deletes(replica, ref),
    fate: {
      death: () => {
        count.writes += 1;
        const when = kills.get(count.writes);
        kills.delete(count.writes);
        if (when !== undefined) watching.tally[when === "before" ? "killsBefore" : "killsAfter"] += 1;
        return when;
      },
      fault: (to, write) => {
        count.calls += 1;
        const how = faults.get(count.calls);
        faults.delete(count.calls);
        if (how !== undefined) watching.tally.faults += 1;
        if ((to === "git" && trouble.git) || (to === "host" && trouble.host)) return "refused";
        if (to === "kube" && trouble.kube && write && chance.happens(0.25)) return chance.pick(["refused", "unanswered", "conflict"]);
        return how;
      },
      yields: () => schedule.yields > 0 && chance.happens(schedule.yields),
    },
  };
}

function isOver({ count, calmed, world, watch: watching }: Drive): boolean {
  if (count.turns >= maxTurns || watching.broken()) return true;
  return calmed && count.runsSinceWrite >= restRuns && world.time.nowMs - count.lastWriteAtMs >= restMs;
}

/** One thing that can happen now. */
type Happening = () => void | Promise<void>;

async function turn(drive: Drive): Promise<void> {
  drive.count.turns += 1;
  await nextTurn();
  revive(drive);
  const all = happenings(drive);
  if (all.length > 0) {
    await countdown(drive);
    await drive.world.dice.pick(all)();
  } else if (isMoveDue(drive)) await nextMove(drive);
  else passTime(drive);
}

/** Another process takes the place of one that died. */
function revive(drive: Drive): void {
  if (!drive.replica.isDead()) return;
  drive.replicas += 1;
  drive.trace?.push(`process ${drive.replicas} starts`);
  drive.replica = startReplica(outsideOf(drive), drive.replicas);
}

function happenings(drive: Drive): Happening[] {
  const { replica, world } = drive;
  const all: Happening[] = [];
  for (let index = replica.waiting(); index > 0; index -= 1) all.push(() => replica.letGo(index - 1));
  for (const informer of replica.informers.late()) {
    if (informer.synced) all.push(() => informer.deliver(1 + world.dice.below(4)));
    else all.push(() => informer.relist());
  }
  for (const due of replica.turns()) {
    all.push(() => {
      drive.count.runs += 1;
      drive.count.runsSinceWrite += 1;
      drive.watch.begins(due.kind, due.key, replica);
      due.begin();
    });
  }
  if (world.cluster.isBehind()) all.push(() => world.cluster.step());
  return all;
}

/** Moves come in the middle of things, too. */
async function countdown(drive: Drive): Promise<void> {
  if (!isMoveDue(drive)) return;
  if (drive.next.turns > 0) drive.next.turns -= 1;
  else await nextMove(drive);
}

function isMoveDue({ world, next, calmed }: Drive): boolean {
  return !calmed && world.time.nowMs >= next.atMs;
}

async function nextMove(drive: Drive): Promise<void> {
  const { world, moves } = drive;
  const timed = moves.shift();
  drive.trace?.push(`${clockText(world.time.nowMs)} ${timed ? JSON.stringify(timed.move) : "calm"}`);
  drive.watch.others(true);
  if (timed) await carryOut(drive, timed.move);
  else {
    await calm(world);
    drive.calmed = true;
    Object.assign(drive.count, { lastWriteAtMs: world.time.nowMs, runsSinceWrite: 0 });
  }
  drive.watch.others(false);
  const [following] = moves;
  drive.next = { atMs: world.time.nowMs + (following?.afterMs ?? 30_000), turns: following?.turns ?? 0 };
}

async function carryOut({ replica, world, watch: watching }: Drive, move: Move): Promise<void> {
  if (move.do === "kill") replica.kill();
  else if (move.do === "relist") for (const informer of replica.informers.late()) informer.relist();
  else {
    const open = world.hosted.pulls().filter(({ state }) => state === "open");
    await make(world, move);
    if (move.do === "close" && move.by === "ada") for (const { head } of open.slice(-1)) watching.closed(head);
    watching.branches();
  }
}

/** Nothing can happen now: the clock goes on to when something can. */
function passTime({ replica, world, next, calmed }: Drive): void {
  const times = [
    replica.nextAtMs(),
    world.cluster.nextAtMs(),
    calmed ? undefined : next.atMs,
  ].filter((time) => time !== undefined);
  const nowMs = Math.max(world.time.nowMs + 1, Math.min(...times, world.time.nowMs + 60_000));
  world.meter?.pass(nowMs);
  world.time.nowMs = nowMs;
  replica.wake();
}

function clockText(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(11, 23);
}
