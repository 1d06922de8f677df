import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DiskStore, openObjects } from "./objects.ts";
import { openPack } from "./pack.ts";
import { keepTrees, type TreeReader } from "./tree-reader.ts";

/**
 * The bare repository of one remote. It is a cache: whatever is wrong with it, it may be thrown away and fetched again.
 * Only what is published was verified; a fetch that failed half-way is never seen.
 */
export interface Repository {
  /** Where it is now; changes when it is replaced. */
  gitdir(): string;
  store(): DiskStore;
  /** Its directories, remembered. */
  readonly trees: TreeReader;
  /** One at a time: everything that changes packs, refs or the directory itself. */
  exclusive<T>(work: () => Promise<T>): Promise<T>;
  /** Names of refs and the commits last verified for them. */
  published(): Map<string, string>;
  publish(refs: ReadonlyMap<string, string>): void;
  /** Takes back what an unfinished fetch has done to the boundary of the history. */
  restoreShallow(): void;
  /** Throws everything away. */
  reset(): void;
  /** Takes the place of this one; the loose objects made here in the last day come along. */
  replaceWith(sibling: Repository): void;
  /** A fresh repository next to this one. */
  sibling(): Repository;
  /** Size of each pack, oldest first. */
  packBytes(): number[];
  close(): void;
}

const config = `[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
[remote "origin"]
\tfetch = +refs/never/*:refs/never/*
`;
const keepLooseMs = 24 * 60 * 60 * 1_000;

/** Opens the repository in this directory, creating it and clearing away what a killed process has left. */
export function openRepository(dir: string): Repository {
  const gitdir = join(dir, "repository");
  rmSync(join(dir, "sibling"), { recursive: true, force: true });
  prepare(gitdir);
  return repositoryAt(dir, gitdir);
}

function repositoryAt(dir: string, gitdir: string): Repository {
  let store = openObjects(gitdir);
  let last: Promise<unknown> = Promise.resolve();
  const reopen = () => {
    store.close();
    prepare(gitdir);
    store = openObjects(gitdir);
  };
  return {
    gitdir: () => gitdir,
    store: () => store,
    trees: keepTrees(() => store),
    exclusive: (work) => {
      const run = last.then(work, work);
      last = run.catch(() => {});
      return run;
    },
    published: () => readPublished(gitdir),
    publish: (refs) => publish(gitdir, refs),
    restoreShallow: () => copyOrRemove(join(gitdir, "shallow.published"), join(gitdir, "shallow")),
    reset: () => {
      rmSync(gitdir, { recursive: true, force: true });
      reopen();
    },
    replaceWith: (sibling) => {
      sibling.close();
      copyLoose(gitdir, sibling.gitdir());
      rmSync(gitdir, { recursive: true, force: true });
      renameSync(sibling.gitdir(), gitdir);
      reopen();
    },
    sibling: () => {
      const next = join(dir, "sibling");
      rmSync(next, { recursive: true, force: true });
      prepare(next);
      return repositoryAt(join(dir, "sibling"), next);
    },
    packBytes: () => packBytes(gitdir),
    close: () => store.close(),
  };
}

function prepare(gitdir: string): void {
  mkdirSync(join(gitdir, "objects/pack"), { recursive: true });
  mkdirSync(join(gitdir, "refs/sync"), { recursive: true });
  writeFileSync(join(gitdir, "config"), config);
  writeFileSync(join(gitdir, "HEAD"), "ref: refs/heads/main\n");
  sweep(join(gitdir, "objects/pack"));
}

/** Removes packs without an index, and pairs whose index was cut off while it was written. */
function sweep(packDir: string): void {
  const complete = new Set(
    readdirSync(packDir)
      .filter((file) => file.endsWith(".idx") && opens(join(packDir, file)))
      .map((file) => file.slice(0, -4)),
  );
  for (const file of readdirSync(packDir)) {
    if (!complete.has(file.replace(/\.(idx|pack)$/, ""))) rmSync(join(packDir, file), { force: true });
  }
}

function opens(indexPath: string): boolean {
  try {
    openPack(indexPath).close();
    return true;
  } catch {
    return false;
  }
}

function refFile(name: string): string {
  // One file a ref, whatever its name: no directory to climb out of, none that is in a file's way.
  return encodeURIComponent(name).replaceAll(".", "%2E").slice(0, 240);
}

function readPublished(gitdir: string): Map<string, string> {
  const path = join(gitdir, "published.json");
  if (!existsSync(path)) return new Map();
  return new Map(Object.entries(JSON.parse(readFileSync(path, "utf8")) as Record<string, string>));
}

function publish(gitdir: string, refs: ReadonlyMap<string, string>): void {
  const all = new Map([...readPublished(gitdir), ...refs]);
  copyOrRemove(join(gitdir, "shallow"), join(gitdir, "shallow.published"));
  for (const [name, commit] of refs) replaceFile(join(gitdir, "refs/sync", refFile(name)), `${commit}\n`);
  replaceFile(join(gitdir, "published.json"), JSON.stringify(Object.fromEntries(all)));
}

function copyOrRemove(from: string, to: string): void {
  if (existsSync(from)) replaceFile(to, readFileSync(from, "utf8"));
  else rmSync(to, { force: true });
}

function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

function copyLoose(from: string, to: string): void {
  const oldest = Date.now() - keepLooseMs;
  for (const folder of readdirSync(join(from, "objects")).filter((name) => /^[0-9a-f]{2}$/.test(name))) {
    for (const file of readdirSync(join(from, "objects", folder))) {
      const path = join(from, "objects", folder, file);
      if (statSync(path).mtimeMs < oldest) continue;
      mkdirSync(join(to, "objects", folder), { recursive: true });
      renameSync(path, join(to, "objects", folder, file));
    }
  }
}

function packBytes(gitdir: string): number[] {
  const packDir = join(gitdir, "objects/pack");
  const packs = readdirSync(packDir)
    .filter((file) => file.endsWith(".pack"))
    .map((file) => statSync(join(packDir, file)));
  return packs.sort((a, b) => a.mtimeMs - b.mtimeMs).map(({ size }) => size);
}
