import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";
import type { Session } from "./fetch.ts";
import { GitError } from "./git.ts";
import { remoteName } from "./http.ts";
import { listRefs } from "./ls-refs.ts";
import type { DiskStore, GitObject } from "./objects.ts";
import { encodePkt, flushPkt, parsePktLines, printable, splitSideBand } from "./pkt-line.ts";
import { emptyTree, entryKind, peelToCommit, readCommit, readTree, type TreeEntry } from "./tree.ts";

/** What is to happen to a ref, and what it must be before. `undefined`: it does not exist. */
interface RefUpdate {
  readonly ref: string;
  readonly expected: string | undefined;
  readonly commit: string | undefined;
}

const nothing = "0".repeat(40);
const kindNumbers = { commit: 1, tree: 2, blob: 3, tag: 4 } as const;
const safeRef = /^refs\/(?!.*(?:\.\.|\/\/|@\{|\/\.|\.lock(?:\/|$)))[^\p{Cc} ~^:?*[\\]+(?<![./])$/u;

/**
 * Moves one ref by compare-and-swap, sending only what the remote lacks. Doing it again after an answer was lost is success.
 * Throws StaleRef when the ref is not at `expected`, PushRefused with the server's words when it does not let us.
 */
export async function push(session: Session, update: RefUpdate): Promise<void> {
  if (!safeRef.test(update.ref)) throw new GitError("PushRefused", `"${printable(update.ref)}" is not a name that Git allows for a branch`);
  const refused = await send(session, update);
  if (refused === undefined) return;
  const now = await current(session, update.ref);
  if (now === update.commit) return;
  const where = `${update.ref} of ${remoteName(session.remote)}`;
  if (now !== update.expected)
    throw new GitError("StaleRef", `${where} has moved: it is at ${now ?? "nothing"}, not at ${update.expected ?? "nothing"}`);
  throw new GitError("PushRefused", `${remoteName(session.remote)} refuses the push to ${update.ref}: ${refused}`);
}

async function current({ http, remote, signal }: Session, ref: string): Promise<string | undefined> {
  const refs = await listRefs(http, remote, { prefixes: [ref], signal });
  return refs.find(({ name }) => name === ref)?.commit;
}

/** `undefined`: done; else why not, in the server's words. */
async function send({ http, remote, repository, signal }: Session, { ref, expected, commit }: RefUpdate): Promise<string | undefined> {
  const command = `${expected ?? nothing} ${commit ?? nothing} ${ref}\0report-status side-band-64k agent=git/serin`;
  const pack = commit === undefined ? Buffer.alloc(0) : buildPack(newObjects(repository.store(), commit));
  const body = Buffer.concat([encodePkt(command), flushPkt, pack]);
  const headers = { "content-type": "application/x-git-receive-pack-request", accept: "application/x-git-receive-pack-result" };
  const reply = await http.exchange(remote, { method: "POST", path: "/git-receive-pack", headers, body }, signal);
  return refusalIn(reply.body, ref);
}

function refusalIn(body: Buffer, ref: string): string | undefined {
  const lines = parsePktLines(body);
  const { data, messages, fatal } = splitSideBand(lines);
  const report = (data.length > 0 ? parsePktLines(data) : lines).map((line) => line.toString("utf8").trimEnd());
  if (report.some((line) => line === `ok ${ref}`)) return undefined;
  const reasons = report
    .filter((line) => /^(ng|unpack|ERR) /.test(line) && line !== "unpack ok")
    .map((line) => printable(line.replace(`ng ${ref} `, "")));
  const words = [...reasons, ...(fatal === undefined ? [] : [fatal]), ...messages];
  return words.length > 0 ? words.join("; ") : "it gives no reason";
}

/** Commits made here and, with each, what its tree has and its first parent's has not. */
function newObjects(store: DiskStore, tip: string): Map<string, GitObject> {
  const objects = new Map<string, GitObject>();
  const todo = [peelToCommit(store, tip)];
  for (let oid = todo.pop(); oid !== undefined; oid = todo.pop()) {
    if (objects.has(oid) || !store.isLoose(oid)) continue;
    const { tree, parents } = readCommit(store, oid);
    collect(store, oid, objects);
    addTree(store, { tree, before: parents[0] === undefined ? emptyTree : readCommit(store, parents[0]).tree }, objects);
    todo.push(...parents);
  }
  return objects;
}

function addTree(store: DiskStore, { tree, before }: { tree: string; before: string }, objects: Map<string, GitObject>): void {
  if (tree === before || objects.has(tree)) return;
  if (tree === emptyTree) objects.set(tree, { kind: "tree", bytes: Buffer.alloc(0) });
  else collect(store, tree, objects);
  const old = new Map(readTree(store, before).map((entry) => [entry.name, entry]));
  for (const entry of readTree(store, tree)) {
    const was = old.get(entry.name);
    if (was?.oid !== entry.oid) addEntry(store, { entry, was }, objects);
  }
}

function addEntry(
  store: DiskStore,
  { entry, was }: { entry: TreeEntry; was: TreeEntry | undefined },
  objects: Map<string, GitObject>,
): void {
  const kind = entryKind(entry);
  if (kind === "tree") addTree(store, { tree: entry.oid, before: was && entryKind(was) === "tree" ? was.oid : emptyTree }, objects);
  else if (kind !== "submodule") collect(store, entry.oid, objects);
}

function collect(store: DiskStore, oid: string, objects: Map<string, GitObject>): void {
  const object = store.find(oid);
  if (!object) throw new GitError("CorruptData", `object ${oid} is missing`);
  objects.set(oid, object);
}

function buildPack(objects: ReadonlyMap<string, GitObject>): Buffer {
  const head = Buffer.alloc(12);
  head.write("PACK");
  head.writeUInt32BE(2, 4);
  head.writeUInt32BE(objects.size, 8);
  const entries = [...objects.values()].flatMap(({ kind, bytes }) => [entryHeader(kindNumbers[kind], bytes.length), deflateSync(bytes)]);
  const content = Buffer.concat([head, ...entries]);
  return Buffer.concat([content, createHash("sha1").update(content).digest()]);
}

function entryHeader(type: number, size: number): Buffer {
  const bytes = [(type << 4) | (size & 15)];
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) | 128;
    bytes.push(rest & 127);
  }
  return Buffer.from(bytes);
}
