import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { runGit } from "./git-remote.ts";

/** `gitops`: what people do to manifests. `nasty`: renames, links, types and directories change as well. */
export type Profile = "gitops" | "nasty";

/** A repository with random commits on `main`, checked out in `dir`. */
export interface RandomHistory {
  readonly dir: string;
  readonly head: string;
  /** Commits worth undoing: the newest, all merges, and some others. */
  readonly commits: readonly { readonly oid: string; readonly parents: readonly string[] }[];
}

/** What undoing one commit gave. */
export type Outcome =
  | { readonly outcome: "clean"; readonly tree: string }
  | { readonly outcome: "empty" }
  | { readonly outcome: "conflict"; readonly paths: readonly string[] };

interface File {
  readonly mode: string;
  readonly lines: readonly string[] | undefined;
  readonly target?: string;
  readonly cut?: boolean;
}
type Files = Map<string, File>;
type Change = (files: Files, path: string, file: File) => void;

interface Dice {
  readonly chance: () => number;
  readonly below: (limit: number) => number;
  readonly pick: <T>(list: readonly T[]) => T;
}

function dice(seed: number): Dice {
  let state = seed;
  const chance = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number) => Math.floor(chance() * limit);
  return { chance, below, pick: <T>(list: readonly T[]) => list[below(list.length)]! };
}

function isFree(files: Files, path: string): boolean {
  return !files.has(path) && ![...files.keys()].some((other) => other.startsWith(`${path}/`) || path.startsWith(`${other}/`));
}

/** Random changes to a set of files, all from one seed. */
function changer(random: Dice) {
  const { below, pick, chance } = random;
  const someLines = () => [
    "apiVersion: v1",
    `kind: ${pick(["Deployment", "Service", "ConfigMap"])}`,
    "metadata:",
    `  name: app-${below(50)}`,
    "spec:",
    ...Array.from({ length: 6 + below(30) }, (_, index) =>
      pick([
        `  key${index}: value-${below(1e6)}`,
        `  - item-${below(12)}`,
        `    replicas: ${below(9)}`,
        `  env${below(1_000)}: "${below(1e5)}"`,
      ]),
    ),
  ];
  const somePath = () => {
    const directory = pick(["apps/", "infra/", "apps/web/", "apps/api/", "clusters/prod/", "clusters/dev/", ""]);
    return `${directory}${pick(["deploy", "svc", "cm", "ing", "kust", "hpa", "values"])}${below(3) ? "" : `-${below(9)}`}.yaml`;
  };
  const add = (files: Files) => {
    const path = somePath();
    if (isFree(files, path)) files.set(path, { mode: "100644", lines: someLines() });
  };
  const move = (files: Files, path: string, moved: File) => {
    const to = somePath();
    if (!isFree(files, to)) return;
    files.delete(path);
    files.set(to, moved);
  };
  const edit: Change = (files, path, file) => {
    if (!file.lines) return;
    const lines = [...file.lines];
    const kind = chance();
    if (kind < 0.45) lines[below(lines.length)] = `  tag: v${below(1e6)}`;
    else if (kind < 0.65) lines.splice(below(lines.length + 1), 0, ...Array.from({ length: 1 + below(4) }, () => `  - item-${below(12)}`));
    else if (kind < 0.85) lines.splice(below(lines.length), 1 + below(3));
    else if (kind < 0.93) lines.push(...lines.slice(below(lines.length)).slice(0, 3));
    else lines.length = below(lines.length);
    files.set(path, { ...file, lines, cut: below(12) === 0 });
  };
  const changeMode: Change = (files, path, file) => {
    if (file.mode !== "120000") files.set(path, { ...file, mode: file.mode === "100644" ? "100755" : "100644" });
  };
  const moveAndEdit: Change = (files, path, file) => {
    if (!file.lines) return;
    const lines = [...file.lines];
    for (let edits = 1 + below(3); edits > 0; edits--) lines[below(lines.length)] = `  edited: ${below(1e6)}`;
    move(files, path, { mode: file.mode, lines });
  };
  const changeType: Change = (files, path, file) => {
    const link = { mode: "120000", lines: undefined, target: pick([...files.keys()]) };
    files.set(path, file.mode === "120000" ? { mode: "100644", lines: someLines() } : link);
  };
  const fileToDirectory: Change = (files, path, file) => {
    if (!file.lines) return;
    files.delete(path);
    files.set(`${path}/inner.yaml`, file);
  };
  const moveDirectory: Change = (files) => {
    const directories = [
      ...new Set([...files.keys()].filter((path) => path.includes("/")).map((path) => path.slice(0, path.lastIndexOf("/")))),
    ];
    if (directories.length === 0) return;
    const from = pick(directories);
    for (const [path, file] of Array.from(files)) {
      const to = `${from}-moved${path.slice(from.length)}`;
      if (!path.startsWith(`${from}/`) || !isFree(files, to)) continue;
      files.set(to, file);
      files.delete(path);
    }
  };
  const copy: Change = (files, _path, file) => {
    const to = somePath();
    if (file.lines && isFree(files, to)) files.set(to, { mode: file.mode, lines: file.lines });
  };
  const remove: Change = (files, path) => void files.delete(path);
  const exactMove: Change = (files, path, file) => move(files, path, file);
  const changes: Record<Profile, readonly (readonly [number, Change])[]> = {
    gitops: [
      [0.05, add],
      [0.08, remove],
      [0.09, changeMode],
      [1, edit],
    ],
    nasty: [
      [0.08, add],
      [0.15, remove],
      [0.23, exactMove],
      [0.31, moveAndEdit],
      [0.36, changeMode],
      [0.38, changeType],
      [0.39, fileToDirectory],
      [0.41, moveDirectory],
      [0.43, copy],
      [1, edit],
    ],
  };
  return {
    add,
    mutate: (files: Files, profile: Profile) => {
      if (files.size < 3) return add(files);
      const roll = chance();
      const path = pick([...files.keys()]);
      changes[profile].find(([upTo]) => roll < upTo)?.[1](files, path, files.get(path)!);
    },
  };
}

/** Makes the repository anew in `dir`. The same seed and profile give the same history. */
export function randomHistory(dir: string, seed: number, profile: Profile): RandomHistory {
  const random = dice(seed * 100_003 + 7);
  const { add, mutate } = changer(random);
  rmSync(dir, { recursive: true, force: true });
  runGit(["init", "-q", "-b", "main", dir]);
  const git = (...args: string[]) => runGit(["-C", dir, ...args]);
  let mark = 0;
  const commits: string[] = [];
  const write = (branch: string, files: Files, from?: string) => {
    mark++;
    commits.push(
      `commit refs/heads/${branch}\nmark :${mark}\ncommitter a <a@x> ${1_700_000_000 + mark * 60} +0000\ndata <<E\nc${mark}\nE\n`,
    );
    commits.push(from === undefined ? "" : `from ${from}\n`, "deleteall\n", ...[...files].map(([path, file]) => fileCommand(path, file)));
  };
  const flush = () => {
    runGit(["-C", dir, "fast-import", "--quiet", "--force"], commits.join(""));
    commits.length = 0;
  };
  const change = (files: Files, times: number) => {
    for (let left = times; left > 0; left--) mutate(files, profile);
  };
  const grow = (branch: string, files: Files, { times, from }: { times: number; from?: string | undefined }) => {
    for (let index = 0; index < times; index++) {
      change(files, 1 + random.below(2));
      write(branch, files, index === 0 ? from : undefined);
    }
    if (times > 0) flush();
  };
  const files: Files = new Map();
  for (let left = 6 + random.below(8); left > 0; left--) add(files);
  write("main", files);
  grow("main", files, { times: 5 + random.below(8) });
  if (random.below(2) === 1) {
    const base = git("rev-parse", `main~${1 + random.below(3)}`);
    grow("side", filesOf(dir, base), { times: 1 + random.below(3), from: base });
    const merged = spawnSync("git", ["-C", dir, "merge-tree", "--write-tree", "main", "side"]);
    if (merged.status === 0) {
      const merge = git("commit-tree", merged.stdout.toString().split("\n")[0]!, "-p", "main", "-p", "side", "-m", "merge side");
      git("update-ref", "refs/heads/main", merge);
      grow("main", filesOf(dir, merge), { times: random.below(4), from: merge });
    }
  }
  git("checkout", "-q", "-f", "main");
  git("reset", "-q", "--hard");
  const all = git("rev-list", "--parents", "main")
    .split("\n")
    .map((line) => line.split(" "))
    .map(([oid, ...parents]) => ({ oid: oid!, parents }));
  const chosen = new Set([all[0]!, ...all.filter(({ parents }) => parents.length > 1)]);
  while (chosen.size < Math.min(7, all.length)) chosen.add(random.pick(all));
  return { dir, head: git("rev-parse", "main"), commits: [...chosen] };
}

function fileCommand(path: string, { mode, lines, target, cut }: File): string {
  const content = lines ? lines.join("\n") + (cut || lines.length === 0 ? "" : "\n") : (target ?? "");
  return `M ${mode} inline "${path}"\ndata ${Buffer.byteLength(content)}\n${content}\n`;
}

function filesOf(dir: string, commit: string): Files {
  const files: Files = new Map();
  for (const line of runGit(["-C", dir, "ls-tree", "-r", commit]).split("\n")) {
    const [, mode, oid, path] = /^(\d+) blob (\w+)\t(.*)$/.exec(line) ?? [];
    if (mode === undefined || oid === undefined || path === undefined) continue;
    const content = spawnSync("git", ["-C", dir, "cat-file", "blob", oid]).stdout.toString();
    files.set(
      path,
      mode === "120000" ? { mode, lines: undefined, target: content } : { mode, lines: content.replace(/\n$/, "").split("\n") },
    );
  }
  return files;
}

/** What `git revert` makes of one commit of the history; a merge counts against its first parent. Leaves everything as it was. */
export function revertByGit({ dir, head }: RandomHistory, { oid, parents }: RandomHistory["commits"][number]): Outcome {
  const run = (...args: string[]) =>
    spawnSync("git", ["-C", dir, "-c", "user.name=a", "-c", "user.email=a@x", ...args], { env: { ...process.env, GIT_EDITOR: "true" } });
  const reverted = run("revert", "--no-edit", ...(parents.length > 1 ? ["-m", "1"] : []), oid);
  const words = reverted.stdout.toString() + reverted.stderr.toString();
  const unmerged = run("ls-files", "-u")
    .stdout.toString()
    .split("\n")
    .flatMap((line) => line.split("\t")[1] ?? []);
  const tree = run("rev-parse", "HEAD^{tree}").stdout.toString().trim();
  run("revert", "--abort");
  run("revert", "--quit");
  run("reset", "-q", "--hard", head);
  run("clean", "-fdqx");
  if (reverted.status === 0) return { outcome: "clean", tree };
  if (unmerged.length === 0 && /nothing to commit|nothing added/.test(words)) return { outcome: "empty" };
  return { outcome: "conflict", paths: [...new Set(unmerged)].sort() };
}
