import { execFile, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { systemClock } from "../../../src/lib/clock.ts";
import { apiVersion } from "../../../src/api/meta.ts";
import { allBecome, apply, inBatches, isReady } from "../cluster.ts";
import type { Ground } from "../ground.ts";
import { indexes } from "../manifests.ts";
import { type Meter, startMeter } from "../meter.ts";
import { git, type Repository } from "../remote.ts";
import type { Figure, Scenario } from "../row.ts";
import { usageOf } from "../usage.ts";

/** What a poll asks for: as Serin's ref prefixes, and as arguments of `git ls-remote`. */
interface Kind {
  readonly what: "branch" | "tag" | "semver";
  readonly prefixes: readonly string[];
  readonly lsRemote: readonly string[];
}

const kinds: readonly Kind[] = [
  { what: "branch", prefixes: ["refs/heads/main", "refs/heads/serin/revert/"], lsRemote: ["refs/heads/main"] },
  { what: "tag", prefixes: ["refs/tags/v1.0.0"], lsRemote: ["refs/tags/v1.0.0"] },
  { what: "semver", prefixes: ["refs/tags/"], lsRemote: ["--tags"] },
];

/** One poll. */
interface Cost {
  readonly cpuMs: number;
  readonly bytes: number;
}

/** Polls that find nothing new, of a small repository and of one with very many refs. */
export const polls: Scenario = {
  name: "polls",
  limitMs: 480_000,
  summary: "a poll that finds nothing new, at 7 and 18,001 refs, for branch, tag and semver, beside git ls-remote",
  run: async (ground, signal) => {
    const figures: Figure[] = [];
    for (const refs of [7, ground.quick ? 1_001 : 18_001]) figures.push(...(await repositoryOf(ground, refs, signal)));
    return { figures };
  },
};

async function repositoryOf(ground: Ground, refs: number, signal: AbortSignal): Promise<Figure[]> {
  const repository = ground.remote.repository(ground.name("polls"));
  fill(repository, refs);
  const meter = await startMeter(repository.url);
  try {
    const figures: Figure[] = [];
    let bytesEach = 1;
    for (const kind of kinds) {
      const [serin, cli] = [await polled(ground, { meter, kind }, signal), await listed(ground, { meter, kind }, signal)];
      ground.say(`${kind.what} of ${refs} refs: ${JSON.stringify(serin)}, git ls-remote ${JSON.stringify(cli)}`);
      if (kind.what === "branch") bytesEach = serin.bytes;
      figures.push(...figuresOf({ refs, kind, serin, cli }));
    }
    figures.push(await controlled(ground, { meter, refs, bytesEach }, signal));
    return figures;
  } finally {
    await meter.close();
  }
}

/** A third of all refs are tags. */
function fill(repository: Repository, refs: number): void {
  const { path } = repository;
  const oid = repository.commit({ "README.md": "1\n" });
  const tags = Math.floor(refs / 3);
  const names = [
    ...indexes(tags).map((index) => `refs/tags/v${index + 1}.0.0`),
    ...indexes(refs - 1 - tags).map((index) => `refs/heads/feature-${index}`),
  ];
  const input = names.map((name) => `create ${name} ${oid}\n`).join("");
  execFileSync("git", ["update-ref", "--stdin"], { cwd: path, input });
  git(path, "pack-refs", "--all");
}

interface Asked {
  readonly meter: Meter;
  readonly kind: Kind;
}

/** Serin's own code and its Git process in processes of their own. Both have polled as often before: a controller runs for months. */
async function polled(ground: Ground, { meter, kind }: Asked, signal: AbortSignal): Promise<Cost> {
  const count = ground.quick ? 50 : kind.what === "semver" ? 60 : 600;
  const dir = join(ground.facts.dir, ground.name("poller"));
  mkdirSync(dir, { recursive: true });
  const child = fork(join(import.meta.dirname, "../poller.ts"), [dir, meter.url, String(count), ...kind.prefixes], { signal });
  const cpuMs = (): number => usageOf(child.pid ?? 0).cpuMs;
  try {
    await said(child, signal);
    const [cpu, bytes] = [cpuMs(), meter.bytes()];
    child.send("begin");
    await said(child, signal);
    return { cpuMs: (cpuMs() - cpu) / count, bytes: (meter.bytes() - bytes) / count };
  } finally {
    child.kill();
  }
}

async function said(child: ReturnType<typeof fork>, signal: AbortSignal): Promise<void> {
  const ended = new AbortController();
  const within = AbortSignal.any([signal, ended.signal]);
  await Promise.race([
    once(child, "message", { signal: within }),
    once(child, "exit", { signal: within }).then(() => Promise.reject(new Error("the poller ended"))),
  ]).finally(() => ended.abort());
}

/** `git ls-remote` of the same refs: its CPU with all that it starts. */
async function listed({ quick }: Ground, { meter, kind }: Asked, signal: AbortSignal): Promise<Cost> {
  const count = quick ? 5 : 20;
  const before = meter.bytes();
  const script = `for i in $(seq ${count}); do git ls-remote "$@" > /dev/null || exit 1; done; times`;
  const [first = ""] = kind.lsRemote;
  const args = first.startsWith("--") ? [first, meter.url] : [meter.url, first];
  const { stdout } = await promisify(execFile)("bash", ["-c", script, "bash", ...args], { signal });
  // The last line: user and system time of everything that the shell started.
  const times = [...(stdout.trim().split("\n").at(-1) ?? "").matchAll(/(\d+)m([\d.]+)s/g)];
  const seconds = times.reduce((sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest), 0);
  return { cpuMs: (seconds * 1_000) / count, bytes: (meter.bytes() - before) / count };
}

interface Polled {
  readonly refs: number;
  readonly kind: Kind;
  readonly serin: Cost;
  readonly cli: Cost;
}

const peers: Readonly<Record<string, string>> = {
  "branch 7": "4.8 ms, 739 B",
  "branch 18001": "75 ms, 1.16 MB",
  "semver 7": "30 ms, a clone",
  "semver 18001": "3,560 ms, a clone",
};

const cpuWhy =
  "a quarter of it is handing the question to the Git process, which keeps a hostile repository away from the controller, and the rest is one exchange by HTTP; the row below says how that stands to git itself in the same minute.";

function figuresOf({ refs, kind: { what }, serin, cli }: Polled): Figure[] {
  const work = `no-change poll of a ${what}, ${refs.toLocaleString("en")} refs`;
  const peer = peers[`${what} ${refs}`];
  const beside = (value: number) => ({ what: "git ls-remote", value });
  // All tags have to be read to find the highest: what that costs depends on how many there are.
  const [cpu, bytes] = what === "semver" ? [{}, { beside: beside(cli.bytes), limit: 1.1 }] : [{ limit: 2, why: cpuWhy }, { limit: 2_000 }];
  return [
    { work, what: "CPU", value: serin.cpuMs, unit: "ms", ...cpu, peer },
    { work, what: "CPU beside the CLI", value: serin.cpuMs, unit: "ms", beside: beside(cli.cpuMs) },
    { work, what: "bytes both ways", value: serin.bytes, unit: "B", ...bytes },
  ];
}

/** The whole controller with many GitRepositories that it polls each second; how often it did is told by the bytes. */
async function controlled(
  ground: Ground,
  { meter, refs, bytesEach }: { meter: Meter; refs: number; bytesEach: number },
  signal: AbortSignal,
): Promise<Figure> {
  const [namespace, count, seconds] = [ground.name("polls"), 20, ground.quick ? 5 : 30];
  return ground.withSerin(async (serin) => {
    await apply(ground, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }, signal);
    const spec = { url: meter.url, ref: { branch: "main" }, interval: "1s" };
    await inBatches(indexes(count), (index) =>
      apply(ground, { apiVersion, kind: "GitRepository", metadata: { namespace, name: `app-${index}` }, spec }, signal));
    await allBecome(ground.kube, { kind: { apiVersion, kind: "GitRepository" }, namespace, count }, isReady, signal);
    await systemClock.sleep(ground.quick ? 5_000 : 20_000, signal);
    const [cpu, bytes] = [serin.usage().cpuMs, meter.bytes()];
    await systemClock.sleep(seconds * 1_000, signal);
    const polled = Math.max(1, (meter.bytes() - bytes) / bytesEach);
    const each = (serin.usage().cpuMs - cpu) / polled;
    ground.say(`${count} GitRepositories at 1s, ${refs} refs: ${polled.toFixed(0)} polls in ${seconds} s, ${each.toFixed(2)} ms each`);
    const work = `no-change poll of a branch, ${refs.toLocaleString("en")} refs, by the whole controller`;
    const why = "asking a child process and reconciling the object cost more than the exchange itself, which the row above tells.";
    return { work, what: "CPU", value: each, unit: "ms", limit: 2, peer: "and one Event each", why };
  });
}
