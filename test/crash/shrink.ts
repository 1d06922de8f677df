import { type Beginnings, type Outcome, play } from "./driver.ts";
import type { Move, Schedule } from "./moves.ts";

/** The parts of a schedule that can be left out. */
type Part = "moves" | "kills" | "faults";
const parts: readonly Part[] = ["faults", "kills", "moves"];

/**
 * The smallest schedule found that breaks the same promise: whatever is not needed for it is left out, one after the other,
 * until nothing more can be.
 */
export async function shrink(schedule: Schedule, promise: string, beginnings: Beginnings): Promise<Schedule> {
  const breaks = async (candidate: Schedule): Promise<boolean> => (await play(candidate, beginnings)).broken?.promise === promise;
  const calmer = { ...schedule, yields: 0 };
  let best = schedule.yields > 0 && (await breaks(calmer)) ? calmer : schedule;
  for (let size = Infinity; sizeOf(best) < size;) {
    size = sizeOf(best);
    for (const part of parts) best = await withoutNeedless(best, part, breaks);
  }
  return best;
}

function sizeOf({ moves, kills, faults }: Schedule): number {
  return moves.length + kills.length + faults.length;
}

/** Without those of one part that can be left out, the last ones first. */
async function withoutNeedless(schedule: Schedule, part: Part, breaks: (candidate: Schedule) => Promise<boolean>): Promise<Schedule> {
  let best = schedule;
  for (let index = best[part].length - 1; index >= 0; index -= 1) {
    const candidate = { ...best, [part]: best[part].toSpliced(index, 1) };
    if (await breaks(candidate)) best = candidate;
  }
  return best;
}

/** A schedule in words. */
export function describe({ seed, shape, fromNothing, moves, kills, faults, yields }: Schedule): string {
  const { apps, oneFile, strategy, scope, method, steps, threshold, wait } = shape;
  const layout = `${apps.join(" and ")} in ${oneFile ? "one file" : "files of their own"}, by ${strategy}, scope ${scope}`;
  const judged = method === "share" ? "by share" : `threshold ${threshold}`;
  const lines = [
    `seed ${seed}: ${layout}, steps ${steps}, ${judged}, ${wait ? "" : "not "}waiting for health`,
    fromNothing ? "it begins with an empty cluster" : "it begins at rest",
    ...(yields > 0 ? [`calls of several reconcilers mix (${yields})`] : []),
    ...moves.map(({ move, afterMs, turns }) => `${afterMs / 1_000} s${turns > 0 ? ` and ${turns} turns` : ""} later: ${wordsOf(move)}`),
    ...kills.map(({ atWrite, when }) => `killed ${when} write ${atWrite}`),
    ...faults.map(({ atCall, how }) => `call ${atCall} is ${how}`),
  ];
  return lines.join("\n  ");
}

function wordsOf({ do: what, ...how }: Move): string {
  const details = Object.entries(how).map(([key, value]) => `${key} ${typeof value === "object" ? JSON.stringify(value) : String(value)}`);
  return [what, ...details].join(", ");
}

/** What is told of a schedule that broke a promise: which, how to play it again, the smallest schedule, and its last lines. */
export async function report(schedule: Schedule, { broken }: Outcome, beginnings: Beginnings): Promise<string> {
  if (!broken) return "";
  const small = await shrink(schedule, broken.promise, beginnings);
  const again = await play(small, beginnings, { traced: true });
  return [
    `Broken: ${broken.promise}`,
    `  ${again.broken?.detail ?? broken.detail}`,
    `Again: npm run test:crash -- --seed ${schedule.seed}`,
    `Smallest: ${describe(small)}`,
    ...again.trace.slice(-60).map((line) => line.slice(0, 400)),
  ].join("\n");
}
