import type { Commit, Person } from "./git.ts";
import { GitError } from "./git.ts";
import type { ObjectStore } from "./objects.ts";
import { printable } from "./pkt-line.ts";

/** One line of a tree. */
export interface TreeEntry {
  /** As Git writes it, e.g. `100644` or `40000`. */
  readonly mode: string;
  readonly name: string;
  readonly oid: string;
}

/** The tree of a directory without files. */
export const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

const maxTreeBytes = 16 * 1024 * 1024;
const maxCommitBytes = 1024 * 1024;

/** A commit that is not in the repository: older than what was fetched, or never seen. */
export class MissingCommitError extends GitError {
  readonly oid: string;

  constructor(oid: string) {
    super("HistoryUnavailable", `commit ${oid} is not in the history that was fetched`);
    this.name = "MissingCommitError";
    this.oid = oid;
  }
}

/** Kind of what an entry names. */
export function entryKind({ mode }: TreeEntry): "tree" | "file" | "symlink" | "submodule" | undefined {
  if (mode === "40000") return "tree";
  if (mode === "120000") return "symlink";
  if (mode === "160000") return "submodule";
  return mode === "100644" || mode === "100755" || mode === "100664" ? "file" : undefined;
}

/** Entries of a tree as they stand there. Throws CorruptData when it is missing or not a tree; names are not judged. */
export function readTree(store: ObjectStore, oid: string): TreeEntry[] {
  if (oid === emptyTree) return [];
  const object = store.find(oid, maxTreeBytes);
  if (object?.kind !== "tree") throw new GitError("CorruptData", object ? `object ${oid} is not a tree` : `tree ${oid} is missing`);
  const entries: TreeEntry[] = [];
  const { bytes } = object;
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const end = bytes.indexOf(0, space);
    if (space < 0 || end < 0 || end + 21 > bytes.length) throw new GitError("CorruptData", `tree ${oid} is cut off`);
    entries.push({
      mode: bytes.toString("latin1", at, space),
      name: bytes.toString("utf8", space + 1, end),
      oid: bytes.toString("hex", end + 1, end + 21),
    });
    at = end + 21;
  }
  return entries;
}

/**
 * Entries of a tree whose names are safe to use as paths. Throws UnsafeContent, naming the path, for names that Git forbids,
 * for the same name twice and for modes that Git does not know.
 */
export function readSafeTree(store: ObjectStore, oid: string, path: string): TreeEntry[] {
  const entries = readTree(store, oid);
  const seen = new Set<string>();
  for (const entry of entries) {
    const where = quotePath(joinPath(path, entry.name));
    if (isForbidden(entry.name)) throw new GitError("UnsafeContent", `${where} has a name that Git forbids`);
    if (seen.has(entry.name)) throw new GitError("UnsafeContent", `${where} is there twice`);
    if (!entryKind(entry)) throw new GitError("UnsafeContent", `${where} has the unknown mode ${printable(entry.mode)}`);
    seen.add(entry.name);
  }
  return entries;
}

/** Invisible characters that HFS+ leaves out when it compares names. */
const ignoredByHfs = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

function isForbidden(name: string): boolean {
  if (name === "" || name === "." || name === ".." || /[/\\]/.test(name)) return true;
  const folded = name
    .replace(ignoredByHfs, "")
    .toLowerCase()
    .replace(/:.*$/, "")
    .replace(/[. ]+$/, "");
  return folded === ".git" || folded === "git~1";
}

/** Writes a tree and returns its id. Throws UnsafeContent for names that were not UTF-8: writing them would rename the file. */
export function writeTree(store: ObjectStore, entries: Iterable<TreeEntry>): string {
  const sorted = [...entries].map((entry) => ({ entry, key: Buffer.from(entry.mode === "40000" ? `${entry.name}/` : entry.name) }));
  sorted.sort((a, b) => a.key.compare(b.key));
  const parts = sorted.map(({ entry: { mode, name, oid } }) => {
    if (name.includes("\ufffd"))
      throw new GitError("UnsafeContent", `${quotePath(name)} has a name that is not UTF-8, so its directory cannot be rewritten`);
    return Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, "hex")]);
  });
  return store.write("tree", Buffer.concat(parts));
}

/** Id of the commit that this is or, when it is an annotated tag, that it leads to. Throws {@link MissingCommitError}. */
export function peelToCommit(store: ObjectStore, oid: string): string {
  let at = oid;
  for (let hops = 0; hops < 10; hops++) {
    const object = store.find(at, maxCommitBytes);
    if (!object) throw new MissingCommitError(at);
    if (object.kind === "commit") return at;
    const target = object.kind === "tag" ? /^object ([0-9a-f]{40})$/m.exec(object.bytes.toString("latin1", 0, 48))?.[1] : undefined;
    if (target === undefined) throw new GitError("GitOperationFailed", `${oid} is a ${object.kind}, not a commit`);
    at = target;
  }
  throw new GitError("CorruptData", `tag ${oid} leads nowhere`);
}

/** Bytes of a commit object. Throws {@link MissingCommitError}. */
export function commitBytes(store: ObjectStore, oid: string): Buffer {
  const object = store.find(oid, maxCommitBytes);
  if (!object) throw new MissingCommitError(oid);
  if (object.kind !== "commit") throw new GitError("GitOperationFailed", `${oid} is a ${object.kind}, not a commit`);
  return object.bytes;
}

/** Reads one commit. Throws {@link MissingCommitError} when it is not there. */
export function readCommit(store: ObjectStore, oid: string): Commit {
  const bytes = commitBytes(store, oid);
  const headEnd = bytes.indexOf("\n\n");
  const end = headEnd < 0 ? bytes.length : headEnd;
  const head = headers(bytes.toString("latin1", 0, end));
  const one = (name: string) => head.get(name)?.[0];
  const tree = one("tree");
  const author = parseAuthor(utf8(one("author") ?? ""));
  if (tree === undefined || !author) throw new GitError("CorruptData", `commit ${oid} has no tree or no author`);
  const signature = one("gpgsig");
  const commit = { oid, tree, parents: head.get("parent") ?? [], ...author, message: decode(bytes.subarray(end + 2), one("encoding")) };
  return signature === undefined ? commit : { ...commit, signature: `${signature}\n` };
}

function parseAuthor(line: string): { author: Person; time: string } | undefined {
  const [, name, email, seconds] = /^(.*?) ?<([^>]*)> (\d+)/.exec(line) ?? [];
  return name === undefined || email === undefined ? undefined : { author: { name, email }, time: timeOf(Number(seconds)) };
}

function timeOf(seconds: number): string {
  const date = new Date(Math.min(seconds, 253_402_300_799) * 1_000);
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}

/** Header lines by name; a line that begins with a space continues the one before. */
function headers(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of text.replaceAll("\n ", "\u0000").split("\n")) {
    const space = line.indexOf(" ");
    const name = line.slice(0, space);
    const value = line
      .slice(space + 1)
      .replaceAll("\u0000", "\n")
      .replace(/\n$/, "");
    found.set(name, [...(found.get(name) ?? []), value]);
  }
  return found;
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString("utf8");
}

function decode(bytes: Buffer, encoding: string | undefined): string {
  try {
    return new TextDecoder(encoding ?? "utf-8").decode(bytes);
  } catch {
    return bytes.toString("utf8");
  }
}

/** Path of an entry, from the path of its directory. */
export function joinPath(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}

/** A path fit for a message: control characters escaped. */
export function quotePath(path: string): string {
  const quoted = JSON.stringify(path).replace(
    /[\p{Cc}\p{Cf}]/gu,
    (character) => `\\u${character.codePointAt(0)?.toString(16).padStart(4, "0")}`,
  );
  return quoted.length > 302 ? `${quoted.slice(0, 300)}…"` : quoted;
}
