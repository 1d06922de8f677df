import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";

const root = resolve(import.meta.dirname, "..");

interface Run {
  readonly child: ChildProcess;
  /** Resolves when it has ended. */
  readonly ended: Promise<{ code: number | null; left: string[] }>;
  output(): string;
  errors(): string;
}

/** The demo in a process group and a temporary folder of its own, so that whatever it leaves is seen. */
function demo(args: readonly string[] = [], path = process.env["PATH"] ?? ""): Run {
  const temporary = mkdtempSync(join(tmpdir(), "serin-test-demo-"));
  const env = { ...process.env, PATH: path, TMPDIR: temporary };
  const child = spawn(process.execPath, ["src/main.ts", "demo", ...args], {
    cwd: root,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const texts = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (texts.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (texts.stderr += chunk.toString()));
  onTestFinished(() => {
    if (child.pid !== undefined && groupLives(child.pid)) process.kill(-child.pid, "SIGKILL");
    rmSync(temporary, { recursive: true, force: true });
  });
  const ended = once(child, "close").then(() => ({ code: child.exitCode, left: readdirSync(temporary) }));
  return { child, ended, output: () => texts.stdout, errors: () => texts.stderr };
}

/** Whether any process of the group is left. */
function groupLives(leader: number): boolean {
  try {
    process.kill(-leader, 0);
    return true;
  } catch {
    return false;
  }
}

/** A folder for PATH with these programs, each a shell script. */
function folderWith(programs: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "serin-test-path-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

const story = [
  "== A good release: Ada pushes shop 2",
  "promoted; users lost 0 of",
  "== A bad release: shop 3",
  "traffic is back; users lost",
  "holding shop",
  "pull request: http://127.0.0.1:",
  "cart 2 is out, shop 3 is still held back",
  "== Ada merges the pull request",
  "nothing changed in the cluster",
  "== The end",
];

test(
  "two demos on one machine do not meet: one tells the whole story, one ends at Ctrl-C, and both leave nothing",
  { timeout: 90_000 },
  async () => {
    const [told, stopped] = [demo(["--once"]), demo()];
    await vi.waitFor(() => expect(stopped.output()).toMatch(/ 20 % {2}Progressing/), { timeout: 60_000, interval: 50 });
    stopped.child.kill("SIGINT");
    const early = await stopped.ended;
    expect({ ...early, errors: stopped.errors(), lives: groupLives(stopped.child.pid ?? 0) }).toEqual({
      code: 0,
      left: [],
      errors: "",
      lives: false,
    });
    expect(stopped.output()).toMatch(/nothing is left running\n$/);

    const late = await told.ended;
    expect({ ...late, errors: told.errors(), lives: groupLives(told.child.pid ?? 0) }).toEqual({
      code: 0,
      left: [],
      errors: "",
      lives: false,
    });
    expect(told.output()).not.toContain("\u001b");
    expect(story.filter((line) => !told.output().includes(line))).toEqual([]);
  },
);

test.each<[string, (child: ChildProcess) => void]>([
  ["when the reader of its output goes away", ({ stdout }) => void stdout?.destroy()],
  ["when its terminal is closed", (child) => void child.kill("SIGHUP")],
])("%s the demo ends and leaves nothing", { timeout: 60_000 }, async (_, end) => {
  const run = demo();
  await vi.waitFor(() => expect(run.output()).toContain("look inside:"), { timeout: 30_000, interval: 50 });
  end(run.child);
  const { code, left } = await run.ended;
  expect({ code, left, errors: run.errors(), lives: groupLives(run.child.pid ?? 0) }).toEqual({
    code: 0,
    left: [],
    errors: "",
    lives: false,
  });
});

test.each<[string, Readonly<Record<string, string>>, string]>([
  ["without git", {}, "there is no `git` on PATH. Install Git, then try again."],
  ["with an old git", { git: "echo git version 2.25.1" }, "needs Git 2.30 or newer, and `git` on PATH is git version 2.25.1. Install a newer Git"],
  ["with a git that has no HTTP server", { git: 'case "$1" in --version) echo git version 2.39.5;; *) echo /nonexistent;; esac' }, "needs `git http-backend`, which is not in /nonexistent."],
])("%s the demo says what is needed, with exit code 1, and leaves nothing", async (_, programs, want) => {
  const run = demo(["--once"], folderWith(programs));
  const { code, left } = await run.ended;
  expect(run.errors()).toContain(want);
  expect(run.errors().trim().split("\n")).toHaveLength(1);
  expect({ code, left }).toEqual({ code: 1, left: [] });
});
