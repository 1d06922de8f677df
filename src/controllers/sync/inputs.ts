import type { InputEntry, SourceTree } from "../../render/renderer.ts";

/** What was looked at, with the id of what stood there. */
type Reads = ReadonlyMap<string, string | undefined>;

/** What a digest was made from. */
interface Known {
  readonly digest: string;
  readonly reads: Reads;
}

/** A tree that remembers what is asked of it. */
interface Recorded {
  readonly tree: SourceTree;
  /** `undefined`: something was reached by a symbolic link, and the ids do not tell all. */
  readonly reads: (signal: AbortSignal) => Promise<Reads | undefined>;
}

/** The same tree, watched while a digest is made from it. */
export function recorded(tree: SourceTree): Recorded {
  const found = new Map<string, string | undefined>();
  const listed = new Set<string>();
  let linked = false;
  const list = async (path: string, signal: AbortSignal): Promise<InputEntry[]> => {
    listed.add(path);
    const entries = await tree.list(path, signal);
    linked ||= entries.some((entry) => entry.linked);
    return entries;
  };
  return {
    tree: {
      list,
      contents: (entries, signal) => tree.contents(entries, signal),
      files: async (path, signal) => withContents(tree, await list(path, signal), signal),
      objectAt: async (path, signal) => {
        const object = await tree.objectAt(path, signal);
        found.set(path, object?.oid);
        return object;
      },
    },
    reads: async (signal) => {
      for (const path of listed) if (!found.has(path)) found.set(path, (await tree.objectAt(path, signal))?.oid);
      return linked ? undefined : found;
    },
  };
}

/** These files with what is in them. */
export async function withContents(
  tree: Pick<SourceTree, "contents">,
  entries: readonly InputEntry[],
  signal: AbortSignal,
): Promise<{ path: string; content: Uint8Array }[]> {
  const contents = await tree.contents(entries, signal);
  return entries.map(({ path }, index) => ({ path, content: contents[index] ?? new Uint8Array() }));
}

/** What the digests of a repository's folders were made from, so that a commit that changes none of it changes no digest. */
export interface KnownInputs {
  remember(url: string, path: string, known: Known): void;
  /** Folders of the repository whose digests are still the same, told from the ids of all that they were made from. */
  unchanged(url: string, idsAt: (paths: readonly string[]) => Promise<readonly (string | undefined)[]>): Promise<Map<string, string>>;
  find(url: string, path: string): Known | undefined;
}

const maxFolders = 20_000;

/** Nothing known yet. */
export function createKnownInputs(): KnownInputs {
  const byUrl = new Map<string, Map<string, Known>>();
  let folders = 0;
  const forgetOldest = (): void => {
    const [oldest] = byUrl.keys();
    if (oldest === undefined) return;
    folders -= byUrl.get(oldest)?.size ?? 0;
    byUrl.delete(oldest);
  };
  return {
    find: (url, path) => byUrl.get(url)?.get(path),
    remember: (url, path, known) => {
      if (folders >= maxFolders) forgetOldest();
      const paths = byUrl.get(url) ?? new Map<string, Known>();
      folders += paths.has(path) ? 0 : 1;
      byUrl.set(url, paths.set(path, known));
    },
    unchanged: async (url, idsAt) => {
      const all = [...(byUrl.get(url) ?? [])];
      const paths = [...new Set(all.flatMap(([, { reads }]) => [...reads.keys()]))];
      const ids = await idsAt(paths);
      const now = new Map(paths.map((path, index) => [path, ids[index]]));
      return new Map(all.flatMap(([path, { digest, reads }]) =>
        [...reads].every(([read, oid]) => now.get(read) === oid) ? [[path, digest] as const] : []));
    },
  };
}
