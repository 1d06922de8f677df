import { expect, onTestFinished, test } from "vitest";
import type { Load, LoadSnapshot } from "../../sandbox/load/load.ts";
import { narrate } from "./narrator.ts";
import type { Screen } from "./screen.ts";
import type { View } from "./view.ts";

type Revert = ReturnType<View["revert"]>;

/** A narrator whose world and clock the test moves. */
function narrating() {
  const world = {
    phase: "Initialized",
    weight: 0,
    nowMs: 0,
    revert: undefined as Revert,
    revision: "main@sha1:1",
    versions: new Map<string, { answered: number; failed: number }>(),
  };
  const said: string[] = [];
  let drawn: string[] = [];
  const screen: Screen = {
    chapter: () => {},
    say: (text, detail = "") => void said.push(`${text.trim()} ${detail}`.trim()),
    show: () => {},
    live: (draw) => void (drawn = draw(100).map((line) => line.map(({ text }) => text).join(""))),
    end: () => {},
  };
  const view: View = {
    canary: () => ({ phase: world.phase, weight: world.weight, revision: "", message: "" }),
    revert: () => world.revert,
    sync: () => ({ ready: "True", revision: world.revision, message: "" }),
    deployment: () => undefined,
    image: (name) => (name === "shop" ? "serin.dev/shop:3" : "serin.dev/shop:2"),
    changed: async () => {},
    describe: () => "",
  };
  const snapshot = (): LoadSnapshot => ({
    sent: 100,
    answered: 100,
    lost: 1,
    failed: 3,
    skipped: 0,
    statuses: new Map(),
    versions: new Map(world.versions),
    latencyMs: undefined,
    errors: [],
  });
  const load: Load = { snapshot, ended: Promise.resolve(snapshot()) };
  const narrator = narrate({ screen, view, load, nowMs: () => world.nowMs });
  onTestFinished(() => narrator.stop());
  return { world, said, narrator, drawn: () => drawn };
}

test("rates are those of the last second, per version, and what users lost is the whole", () => {
  const { world, narrator, drawn } = narrating();
  Object.assign(world, { phase: "Progressing", weight: 20, nowMs: 1_000 });
  world.versions.set("2", { answered: 40, failed: 0 }).set("3", { answered: 10, failed: 3 });
  narrator.look();
  expect(drawn()[0]).toContain("users lost 4 of 100 requests");
  expect(drawn()[1]).toContain("40 req/s  0.0 % errors");
  expect(drawn()[2]).toContain("10 req/s 30.0 % errors");
});

test("each change of weight or phase is told once", () => {
  const { world, narrator, said } = narrating();
  for (const [phase, weight] of [["Progressing", 0], ["Progressing", 20], ["Progressing", 20], ["Failed", 0]] as const) {
    Object.assign(world, { phase, weight });
    narrator.look();
  }
  expect(
    said.map((line) =>
      line
        .replace(/^\S+ +/, "")
        .split("  ")
        .slice(0, 2)
        .join(" "),
    ),
  ).toEqual(["0 % Progressing shop:2", "20 % Progressing shop:2", "0 % Failed shop:2"]);
});

test("what becomes of Reverts and Syncs is told when asked for, from then on, and once it means something", () => {
  const { world, narrator, said } = narrating();
  narrator.look();
  const told = said.length;
  narrator.tellAll();
  const revert = { name: "shop-1", phase: "", message: "", pullRequest: undefined, number: undefined };
  const look = (changes: Partial<typeof world>) => {
    Object.assign(world, changes);
    narrator.look();
  };
  look({ revert, revision: "main@sha1:2 holding shop" });
  look({ revert: { ...revert, phase: "Planned", message: "about to be pushed" } });
  look({ revert: { ...revert, phase: "Proposed", message: "waiting", pullRequest: "http://git/1" } });
  look({});
  expect(said.slice(told)).toEqual(["the Sync ships what Git says, holding shop back", "revert shop-1: Planned; about to be pushed", "revert shop-1: Proposed; http://git/1"]);
});
