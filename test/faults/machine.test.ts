import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, type TestContext } from "vitest";
import type { Controller } from "../e2e/controller.ts";
import { proved, timed } from "../e2e/outcome.ts";
import { stage } from "../e2e/story.ts";
import { expectNoneFailed } from "../e2e/team.ts";
import { seen } from "../e2e/sight.ts";
import { deliver, requestedAt } from "./hooks.ts";
import { lasting, promotedUnharmed, rolledBackAndProposed, underWay } from "./world.ts";

const faketime = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

const here = stage({ name: "kept" });

test("a hook that is delivered twice and out of order: the newest commit is applied, and nothing goes back", async (context) => {
  const team = await here.aTeam(context, "hooked", { interval: "10m" });
  const secret = "one of the hook's";
  await team.applies({ apiVersion: "v1", kind: "Secret", metadata: { name: "hook" }, type: "Opaque", stringData: { token: secret } });
  await team.patches(seen.repository, "apps", { spec: { webhook: { secretRef: { name: "hook" } } } });
  const start = await team.ada.git("rev-parse", "HEAD");
  const older = await team.releases("shop", "2");
  const newer = await team.ada.push("And a note", { "apps/note.yaml": noteOf("newer") });
  const hook = (before: string, after: string) => deliver(here.controller.url, team, { secret, before, after });
  const rightAgainMs = await timed(async () => {
    expect([await hook(older, newer), await hook(older, newer), await hook(start, older)].every((status) => status < 300)).toBe(true);
    await team.until("the newest commit to be applied", () => team.sync().lastAppliedRevision?.includes(newer));
  });
  await team.promoted("shop", "2");
  expect(team.sync().lastAppliedRevision).toContain(newer);
  expectNoneFailed(team.users("shop"));
  proved({
    fault: "hook delivered twice and out of order",
    meanwhile: "each is only a reason to look",
    after: "the newest commit is applied, and stays",
    rightAgainMs,
  });
});

test("the disk is full when a commit has to be fetched: Ready says so, what runs stays, and room is enough to go on", async (context) => {
  const cache = join(here.place.dir, "cache-kept");
  const team = await here.aTeam(context, "full");
  await team.atRest("shop");
  await here.controller.kill();
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", cache]);
  await here.controller.restart();
  context.onTestFinished(async () => {
    await here.controller.kill();
    // Its Git process ends a moment after it.
    execFileSync("umount", ["--lazy", cache]);
    await here.controller.restart();
  });
  const before = team.running();
  const commit = await team.ada.push("Eight megabytes that do not compress", {
    "apps/late.yaml": noteOf("late"),
    "big.bin": randomBytes(6_000_000).toString("base64"),
  });
  const said = await team.until("the repository to say that the disk is full", () => {
    const ready = team.ready(seen.repository, "apps");
    return ready.startsWith("False") && ready;
  });
  expect(said).toMatch(/no space left|ENOSPC/i);
  expect(team.running()).toEqual(before);
  execFileSync("mount", ["-o", "remount,size=64m", cache]);
  const rightAgainMs = await timed(async () => {
    await requestedAt(team);
    await team.until("the commit to be applied", () => team.sync().lastAppliedRevision?.includes(commit));
  });
  await team.releases("shop", "bad");
  await rolledBackAndProposed(team);
  proved({
    fault: "disk full for the clone",
    meanwhile: "Ready=False says so, what runs stays",
    after: "the commit is applied; a bad release is reverted",
    rightAgainMs,
  });
});

/** A replica whose clock can be set. Monotonic time goes on as it is: that is what a machine does whose clock is set. */
async function replicaWithDial(name: string): Promise<{ replica: Controller; set: (offset: string) => void }> {
  if (!existsSync(faketime)) throw new Error("libfaketime is missing: apt-get install faketime");
  const dial = join(here.place.dir, `faketime-${name}`);
  const set = (offset: string): void => writeFileSync(dial, `${offset}\n`);
  set("+0");
  const environment = { LD_PRELOAD: faketime, FAKETIME_TIMESTAMP_FILE: dial, FAKETIME_NO_CACHE: "1", DONT_FAKE_MONOTONIC: "1" };
  return { replica: await here.place.startController({ name, environment }), set };
}

/** The only replica from here to the end of the test. */
async function aloneWithDial(context: TestContext, name: string): Promise<(offset: string) => void> {
  await here.controller.kill();
  const { replica, set } = await replicaWithDial(name);
  context.onTestFinished(async () => {
    await replica.kill();
    await here.controller.restart();
  });
  return set;
}

test("the controller's clock jumps by an hour, both ways: the run goes on, and nobody is blamed", async (context) => {
  const set = await aloneWithDial(context, "stepped");
  const team = await here.aTeam(context, "stepped", { services: { shop: { replicas: 2 } }, canary: { stepWeight: 5 } });
  await underWay(team);
  const { startedAt } = team.canary("shop");
  const weight = (): number => team.canary("shop").canaryWeight ?? 0;
  set("+3600");
  const forward = weight();
  const rightAgainMs = await timed(() => team.until("a step after the jump", () => weight() > forward));
  expect(team.canary("shop")).toMatchObject({ phase: "Progressing", failedChecks: 0 });
  set("+0");
  const back = weight();
  await team.until("a step after the jump back", () => weight() > back || team.canary("shop").phase !== "Progressing");
  await promotedUnharmed(team, "2", startedAt);
  await team.releases("shop", "bad");
  await rolledBackAndProposed(team, "2");
  proved({
    fault: "the controller's clock jumps by an hour and back",
    meanwhile: "the run goes on, no check fails",
    after: "promoted in the same run; a bad release is reverted",
    rightAgainMs,
  });
});

test("the clock jumps ahead while a release's pods are starting: they have their time, and nobody is blamed", async (context) => {
  const set = await aloneWithDial(context, "early");
  const team = await here.aTeam(context, "early", { services: { shop: { replicas: 2 } } });
  await team.releases("shop", { tag: "2", replicas: 2, env: { READY_AFTER_MS: "15000" } });
  await team.until("the run to begin", () => team.canary("shop").phase === "Progressing");
  const { startedAt } = team.canary("shop");
  set("+3600");
  const rightAgainMs = await timed(() => team.until("the canary to have traffic", () => (team.canary("shop").canaryWeight ?? 0) > 0));
  expect(team.canary("shop")).toMatchObject({ phase: "Progressing", failedChecks: 0 });
  await promotedUnharmed(team, "2", startedAt);
  proved({
    fault: "the clock jumps ahead by an hour while pods are starting",
    meanwhile: "the deadline passes only when the time has",
    after: "promoted in the same run, nothing is proposed",
    rightAgainMs,
  });
});

test("the clock of the replica that stands by jumps ahead: it leaves the lead to the one that has it", async (context) => {
  const { replica, set } = await replicaWithDial("ahead");
  context.onTestFinished(() => replica.kill());
  const team = await here.aTeam(context, "ahead", { services: { shop: { replicas: 2 } }, canary: { stepWeight: 5 } });
  await underWay(team);
  const { startedAt } = team.canary("shop");
  set("+3600");
  // Longer than a Lease.
  await lasting(20);
  expect(replica.logs.filter((line) => line.includes('"leading"'))).toEqual([]);
  const rightAgainMs = await timed(() => promotedUnharmed(team, "2", startedAt));
  proved({
    fault: "the clock of the standby jumps ahead by an hour",
    meanwhile: "the leader goes on leading",
    after: "promoted in the same run",
    rightAgainMs,
  });
});

function noteOf(text: string): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: note }\ndata: { text: ${text} }\n`;
}
