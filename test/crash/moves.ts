import { type Dice, dice } from "./dice.ts";

/** The workloads that have a Canary. */
export const apps = ["checkout", "cart"] as const;
export type App = (typeof apps)[number];

/** How a schedule's world is laid out. */
export interface Shape {
  readonly apps: readonly App[];
  /** All manifests in one file, or one for each app. */
  readonly oneFile: boolean;
  readonly strategy: "PullRequest" | "Push";
  readonly scope: "Canary" | "Commit";
  readonly steps: string;
  readonly threshold: number;
  readonly wait: boolean;
  /** How releases are judged: by fixed bounds of a metric, or by their share of the bad requests. */
  readonly method: "threshold" | "share";
}

/** What people, hosts and the cluster do while controllers work. */
export type Move =
  | { readonly do: "release"; readonly app: App; readonly tag: string; readonly also?: "config" | "mode" | undefined }
  | { readonly do: "configure"; readonly app: App; readonly value: string }
  | { readonly do: "mode"; readonly app: App; readonly value: string }
  | { readonly do: "bulk"; readonly tags: Readonly<Record<App, string>> }
  | { readonly do: "team"; readonly where: "shop" | "other"; readonly value: string }
  | { readonly do: "extra"; readonly there: boolean }
  | { readonly do: "back"; readonly app: App }
  | { readonly do: "tune"; readonly app: App; readonly steps: string; readonly suspend: boolean }
  | { readonly do: "break"; readonly broken: boolean }
  | { readonly do: "merge"; readonly style: "merge" | "squash" | "rebase" }
  | { readonly do: "close"; readonly by: "ada" | "tidy-bot" }
  | { readonly do: "approve" }
  | { readonly do: "deleteBranch" }
  | { readonly do: "pushToBranch" }
  | { readonly do: "deleteRevert" }
  | { readonly do: "releaseRevert" }
  | { readonly do: "metrics"; readonly say: "truth" | "nothing" | "error" | "allBad" }
  | { readonly do: "outage"; readonly of: "git" | "host" | "kube" | "none" }
  | { readonly do: "pods"; readonly of: string; readonly ready: boolean }
  | { readonly do: "restart"; readonly of: string }
  | { readonly do: "delete"; readonly kind: "Deployment" | "Service" | "HTTPRoute" | "ConfigMap"; readonly name: string }
  | { readonly do: "scale"; readonly name: string; readonly replicas: number }
  | { readonly do: "suspendSync"; readonly suspend: boolean }
  | { readonly do: "kill" }
  | { readonly do: "relist" };

/** A move and when it is made: this long after the one before, and this many turns of the world later still. */
export interface TimedMove {
  readonly move: Move;
  readonly afterMs: number;
  readonly turns: number;
}

/** The process ends with its n-th write since the world began. */
export interface Kill {
  readonly atWrite: number;
  readonly when: "before" | "after";
}

/** The n-th call to the outside goes wrong. */
export interface Fault {
  readonly atCall: number;
  readonly how: "refused" | "unanswered" | "conflict";
}

/** Everything that happens to one world. The same schedule always goes the same way. */
export interface Schedule {
  readonly seed: number;
  readonly shape: Shape;
  /** Whether it begins with an empty cluster, and not with one that has come to rest. */
  readonly fromNothing: boolean;
  readonly moves: readonly TimedMove[];
  readonly kills: readonly Kill[];
  readonly faults: readonly Fault[];
  /** Share of calls that let others go first. */
  readonly yields: number;
}

/** Tags say how their pods do: g good, e errors, c crash, i no such image, u unschedulable, n never ready. */
function someTag(chance: Dice, number: number): string {
  return `${chance.pick(["g", "g", "g", "e", "e", "e", "e", "c", "i", "u", "n"])}${number}`;
}

type Maker = (chance: Dice, shape: Shape, number: number) => Move;

const anApp = (chance: Dice, shape: Shape): App => chance.pick(shape.apps);
const someValue = (chance: Dice, number: number): string => (chance.happens(0.4) ? `broken-${number}` : `fine-${number}`);
const someWorkload = (chance: Dice, shape: Shape): string => `${anApp(chance, shape)}${chance.pick(["", "-primary"])}`;

const makers: readonly (readonly [weight: number, make: Maker])[] = [
  [10, (chance, shape, n) => ({ do: "release", app: anApp(chance, shape), tag: someTag(chance, n) })],
  [3, (chance, shape, n) => ({ do: "release", app: anApp(chance, shape), tag: someTag(chance, n), also: chance.pick(["config", "mode"]) })],
  [4, (chance, shape, n) => ({ do: "configure", app: anApp(chance, shape), value: someValue(chance, n) })],
  [3, (chance, shape, n) => ({ do: "mode", app: anApp(chance, shape), value: `mode-${n}` })],
  [3, (chance, _, n) => ({ do: "bulk", tags: { checkout: someTag(chance, n), cart: someTag(chance, n) } })],
  [3, (chance, _, n) => ({ do: "team", where: chance.pick(["shop", "other"]), value: `value-${n}` })],
  [4, (chance) => ({ do: "extra", there: chance.happens(0.6) })],
  [4, (chance, shape) => ({ do: "back", app: anApp(chance, shape) })],
  [2, (chance, shape) => aTuning(chance, shape)],
  [2, (chance) => ({ do: "break", broken: chance.happens(0.5) })],
  [5, (chance) => ({ do: "merge", style: chance.pick(["merge", "squash", "rebase"]) })],
  [4, (chance) => ({ do: "close", by: chance.pick(["ada", "ada", "tidy-bot"]) })],
  [1, () => ({ do: "approve" })],
  [3, () => ({ do: "deleteBranch" })],
  [1, () => ({ do: "pushToBranch" })],
  [3, () => ({ do: "deleteRevert" })],
  [1, () => ({ do: "releaseRevert" })],
  [4, (chance) => ({ do: "metrics", say: chance.pick(["truth", "truth", "nothing", "error", "allBad"]) })],
  [4, (chance) => ({ do: "outage", of: chance.pick(["git", "host", "kube", "none", "none"]) })],
  [4, (chance, shape) => ({ do: "pods", of: someWorkload(chance, shape), ready: chance.happens(0.6) })],
  [4, (chance, shape) => ({ do: "restart", of: someWorkload(chance, shape) })],
  [3, (chance, shape) => aDeletion(chance, shape)],
  [2, (chance, shape) => ({ do: "scale", name: someWorkload(chance, shape), replicas: 1 + chance.below(4) })],
  [2, (chance) => ({ do: "suspendSync", suspend: chance.happens(0.4) })],
  [6, () => ({ do: "kill" })],
  [2, () => ({ do: "relist" })],
];

function aTuning(chance: Dice, shape: Shape): Move {
  return { do: "tune", app: anApp(chance, shape), steps: chance.pick(["50", "20,50", "30,60,90"]), suspend: chance.happens(0.3) };
}

function aDeletion(chance: Dice, shape: Shape): Move {
  const app = anApp(chance, shape);
  return chance.pick<Move>([
    { do: "delete", kind: "Deployment", name: app },
    { do: "delete", kind: "Deployment", name: `${app}-primary` },
    { do: "delete", kind: "Service", name: app },
    { do: "delete", kind: "HTTPRoute", name: app },
    { do: "delete", kind: "ConfigMap", name: `${app}-config` },
  ]);
}

const totalWeight = makers.reduce((sum, [weight]) => sum + weight, 0);

function someMove(chance: Dice, shape: Shape, number: number): Move {
  let at = chance.below(totalWeight);
  const found = makers.find(([weight]) => (at -= weight) < 0);
  if (!found) throw new Error("no move");
  return found[1](chance, shape, number);
}

const byThreshold = { method: "threshold" } as const;

/** The worlds that schedules play in: few enough for each to be built once. */
const shapes: readonly Shape[] = (["PullRequest", "PullRequest", "Push"] as const).flatMap((strategy): Shape[] => [
  { ...byThreshold, apps: ["checkout"], oneFile: false, strategy, scope: "Canary", steps: "50", threshold: 1, wait: false },
  { ...byThreshold, apps: ["checkout"], oneFile: true, strategy, scope: "Commit", steps: "20,50", threshold: 2, wait: true },
  { ...byThreshold, apps: [...apps], oneFile: true, strategy, scope: "Canary", steps: "50", threshold: 1, wait: true },
  { ...byThreshold, apps: [...apps], oneFile: false, strategy, scope: "Commit", steps: "50", threshold: 1, wait: false },
  { method: "share", apps: ["checkout"], oneFile: false, strategy, scope: "Canary", steps: "20,50", threshold: 1, wait: false },
]);

/** How long after the first write kills and faults may come: what a world does in its schedule, about. */
const busyWrites = 160;
const busyCalls = 500;

/** The schedule of this seed. */
export function scheduleOf(seed: number): Schedule {
  const chance = dice(seed);
  const shape = chance.pick(shapes);
  // Every schedule begins with a release that is bad, more often than not: the rest is about what follows.
  const app = anApp(chance, shape);
  const tag = chance.happens(0.75) ? "e1" : someTag(chance, 1);
  const also = chance.happens(0.5) ? chance.pick(["config", "mode"] as const) : undefined;
  const first: Move = { do: "release", app, tag, also };
  const rest = Array.from({ length: 2 + chance.below(9) }, (_, index) => someMove(chance, shape, index + 2));
  const moves = [first, ...rest].map((move): TimedMove => ({
    move,
    afterMs: chance.pick([0, 0, 5_000, 15_000, 60_000, 200_000]),
    turns: chance.happens(0.5) ? chance.below(60) : 0,
  }));
  const kills = Array.from({ length: chance.below(5) }, (): Kill => ({
    atWrite: 1 + chance.below(busyWrites),
    when: chance.pick(["before", "after"]),
  }));
  const faults = Array.from({ length: chance.pick([0, 0, 1, 3, 8]) }, (): Fault => ({
    atCall: 1 + chance.below(busyCalls),
    how: chance.pick(["refused", "unanswered", "conflict"]),
  }));
  return { seed, shape, fromNothing: chance.happens(0.15), moves, kills, faults, yields: chance.pick([0, 0.1, 0.4]) };
}
