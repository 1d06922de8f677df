import type { TreeEntry } from "./tree.ts";
import { entryKind } from "./tree.ts";

/** Files by path. */
type Files = ReadonlyMap<string, TreeEntry>;

const maxPairs = 250_000;
const sameNameSimilarity = 0.75;
const anySimilarity = 0.5;
const spanBytes = 64;

/**
 * Which file of `before` became which of `after`, as Git guesses it: the same content, then the only file of the same name that
 * is at least 75 % alike, then the most alike pair from 50 % on.
 */
export function findRenames(before: Files, after: Files, read: (oid: string) => Buffer): Map<string, string> {
  const isMovable = (entry: TreeEntry) => entryKind(entry) === "file" || entryKind(entry) === "symlink";
  const gone = [...before].filter(([path, entry]) => !after.has(path) && isMovable(entry)).map(toCandidate);
  const added = [...after].filter(([path, entry]) => !before.has(path) && isMovable(entry)).map(toCandidate);
  const found: Renames = { renames: new Map(), taken: new Set() };
  if (gone.length === 0 || added.length === 0) return found.renames;
  matchExact(found, gone, added);
  const isOpen = ({ path, entry }: Candidate) => !found.renames.has(path) && !found.taken.has(path) && entryKind(entry) === "file";
  const restGone = gone.filter(isOpen);
  const restAdded = added.filter(isOpen);
  if (restGone.length === 0 || restGone.length * restAdded.length > maxPairs) return found.renames;
  const similarity = compareBy(read);
  matchByName(found, { gone: restGone, added: restAdded }, similarity);
  matchBest(found, { gone: restGone.filter(isOpen), added: restAdded.filter(isOpen) }, similarity);
  return found.renames;
}

interface Candidate {
  readonly path: string;
  readonly name: string;
  readonly entry: TreeEntry;
}

interface Renames {
  readonly renames: Map<string, string>;
  readonly taken: Set<string>;
}

type Similarity = (a: TreeEntry, b: TreeEntry) => number;

function toCandidate([path, entry]: [string, TreeEntry]): Candidate {
  return { path, name: path.slice(path.lastIndexOf("/") + 1), entry };
}

function match({ renames, taken }: Renames, from: Candidate, to: Candidate): void {
  renames.set(from.path, to.path);
  taken.add(to.path);
}

function matchExact(found: Renames, gone: readonly Candidate[], added: readonly Candidate[]): void {
  const byContent = Map.groupBy(added, ({ entry }) => `${entryKind(entry)} ${entry.oid}`);
  for (const from of gone) {
    const same = (byContent.get(`${entryKind(from.entry)} ${from.entry.oid}`) ?? []).filter(({ path }) => !found.taken.has(path));
    const to = same.find(({ name }) => name === from.name) ?? same[0];
    if (to) match(found, from, to);
  }
}

function matchByName(
  found: Renames,
  { gone, added }: { gone: readonly Candidate[]; added: readonly Candidate[] },
  similarity: Similarity,
): void {
  const goneByName = Map.groupBy(gone, ({ name }) => name);
  const addedByName = Map.groupBy(added, ({ name }) => name);
  for (const from of gone) {
    const candidates = addedByName.get(from.name);
    const to = candidates?.[0];
    const unique = goneByName.get(from.name)?.length === 1 && candidates?.length === 1;
    if (unique && to && similarity(from.entry, to.entry) >= sameNameSimilarity) match(found, from, to);
  }
}

function matchBest(
  found: Renames,
  { gone, added }: { gone: readonly Candidate[]; added: readonly Candidate[] },
  similarity: Similarity,
): void {
  const pairs = gone.flatMap((from) =>
    added.map((to) => ({ from, to, score: similarity(from.entry, to.entry), sameName: from.name === to.name ? 1 : 0 })),
  );
  const likely = pairs.filter(({ score }) => score >= anySimilarity).sort((a, b) => b.score - a.score || b.sameName - a.sameName);
  for (const { from, to } of likely) {
    if (!found.renames.has(from.path) && !found.taken.has(to.path)) match(found, from, to);
  }
}

function compareBy(read: (oid: string) => Buffer): Similarity {
  const known = new Map<string, { size: number; spans: Map<number, number> }>();
  const spansOf = ({ oid }: TreeEntry) => {
    const seen = known.get(oid);
    if (seen) return seen;
    const bytes = read(oid);
    const made = { size: bytes.length, spans: hashSpans(bytes) };
    known.set(oid, made);
    return made;
  };
  return (a, b) => {
    const [x, y] = [spansOf(a), spansOf(b)];
    const larger = Math.max(x.size, y.size);
    if (larger === 0 || Math.min(x.size, y.size) / larger < anySimilarity) return 0;
    let common = 0;
    for (const [hash, size] of x.spans) common += Math.min(size, y.spans.get(hash) ?? 0);
    return common / larger;
  };
}

/** Bytes per hash of a line, or of 64 bytes of a longer one; a carriage return before a line's end does not count. */
function hashSpans(bytes: Buffer): Map<number, number> {
  const spans = new Map<number, number>();
  let hash = 0;
  let size = 0;
  const close = () => {
    spans.set(hash, (spans.get(hash) ?? 0) + size);
    hash = 0;
    size = 0;
  };
  for (const [index, byte] of bytes.entries()) {
    if (byte === 13 && bytes[index + 1] === 10) continue;
    hash = (Math.imul(hash, 0x01000193) ^ byte) >>> 0;
    size++;
    if (size >= spanBytes || byte === 10) close();
  }
  if (size > 0) close();
  return spans;
}
