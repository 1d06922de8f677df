import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { deflateSync, inflateSync } from "node:zlib";
import { GitError } from "./git.ts";
import { applyDelta, type ObjectKind, ObjectTooLargeError, openPack, type Pack } from "./pack.ts";

/** One object, checked against its name. */
export interface GitObject {
  readonly kind: ObjectKind;
  readonly bytes: Buffer;
}

/** Where objects are read from and written to. Reads and writes are synchronous: they run in a process of their own. */
export interface ObjectStore {
  /** `undefined`: not there. Throws CorruptData when its bytes do not give its name, LimitExceeded above `maxBytes`. */
  find(oid: string, maxBytes?: number): GitObject | undefined;
  has(oid: string): boolean;
  /** Writes the object unless it is there, and returns its name. */
  write(kind: ObjectKind, bytes: Buffer): string;
}

/** The objects of a bare repository on disk. */
export interface DiskStore extends ObjectStore {
  /** Whether the object was made here rather than received from the remote. */
  isLoose(oid: string): boolean;
  /** Looks for packs that were added. */
  refresh(): void;
  packs(): readonly string[];
  close(): void;
}

const maxObjectBytes = 64 * 1024 * 1024;
const maxDeltaChain = 4_096;
const cacheBytes = 32 * 1024 * 1024;

/** Reads packs and loose objects; every object is hashed again on each read. */
export function openObjects(gitdir: string): DiskStore {
  const packDir = join(gitdir, "objects/pack");
  const packs = new Map<string, Pack>();
  const cache = baseCache();
  const refresh = () => {
    for (const file of readdirSync(packDir)) {
      if (!file.endsWith(".idx") || packs.has(file)) continue;
      packs.set(file, openPack(join(packDir, file)));
    }
  };
  refresh();
  const findPacked = (oid: string) => {
    const name = Buffer.from(oid, "hex");
    for (const pack of packs.values()) {
      const offset = pack.find(name);
      if (offset !== undefined) return { pack, offset };
    }
    return undefined;
  };
  const isLoose = (oid: string) => existsSync(loosePath(gitdir, oid));
  const has = (oid: string) => findPacked(oid) !== undefined || isLoose(oid);
  return {
    find: (oid, maxBytes = maxObjectBytes) => {
      const place = findPacked(oid);
      const object = place ? readPacked(place, { findPacked, cache, maxBytes }) : readLoose(gitdir, oid, maxBytes);
      if (object && objectName(object.kind, object.bytes) !== oid) throw new GitError("CorruptData", `object ${oid} is damaged`);
      return object;
    },
    has,
    write: (kind, bytes) => {
      const oid = objectName(kind, bytes);
      if (!has(oid)) writeLoose(gitdir, oid, Buffer.concat([header(kind, bytes), bytes]));
      return oid;
    },
    isLoose,
    refresh,
    packs: () => [...packs.keys()],
    close: () => {
      for (const pack of packs.values()) pack.close();
      packs.clear();
    },
  };
}

/** Keeps what is written in memory until `flush`, so that a merge that fails leaves nothing behind. */
export function inMemory(store: ObjectStore): ObjectStore & { flush(): void } {
  const pending = new Map<string, GitObject>();
  return {
    find: (oid, maxBytes) => pending.get(oid) ?? store.find(oid, maxBytes),
    has: (oid) => pending.has(oid) || store.has(oid),
    write: (kind, bytes) => {
      const oid = objectName(kind, bytes);
      if (!store.has(oid)) pending.set(oid, { kind, bytes });
      return oid;
    },
    flush: () => {
      for (const { kind, bytes } of pending.values()) store.write(kind, bytes);
      pending.clear();
    },
  };
}

/** Counts what is read through it; throws LimitExceeded when it comes to more than `maxBytes`. */
export function metered(store: ObjectStore, maxBytes: number): ObjectStore {
  let total = 0;
  return {
    ...store,
    find: (oid, limit) => {
      const object = store.find(oid, limit);
      total += object?.bytes.length ?? 0;
      if (total > maxBytes) throw new GitError("LimitExceeded", `more than ${maxBytes / 1024 / 1024} MiB would have to be read`);
      return object;
    },
  };
}

/** The id that Git gives to these bytes. */
export function objectName(kind: ObjectKind, bytes: Uint8Array): string {
  return createHash("sha1").update(header(kind, bytes)).update(bytes).digest("hex");
}

function header(kind: ObjectKind, bytes: Uint8Array): Buffer {
  return Buffer.from(`${kind} ${bytes.length}\0`);
}

interface Place {
  readonly pack: Pack;
  readonly offset: number;
}

interface Reading {
  readonly findPacked: (oid: string) => Place | undefined;
  readonly cache: BaseCache;
  readonly maxBytes: number;
}

/** Follows the deltas down to a whole object, then applies them upwards. */
function readPacked(start: Place, { findPacked, cache, maxBytes }: Reading): GitObject {
  const deltas: { place: Place; bytes: Buffer }[] = [];
  let place = start;
  let object = cache.get(place);
  while (!object) {
    // Bases may be larger than what is made from them, so only the object itself has the caller's limit.
    const entry = place.pack.entryAt(place.offset, deltas.length === 0 ? maxBytes : maxObjectBytes);
    if (entry.stored === "whole") {
      object = { kind: entry.kind, bytes: entry.bytes };
      cache.set(place, object);
      continue;
    }
    deltas.push({ place, bytes: entry.bytes });
    if (deltas.length > maxDeltaChain) throw new GitError("CorruptData", `${place.pack.name} has an endless chain of deltas`);
    const next = "oid" in entry.base ? findPacked(entry.base.oid) : { pack: place.pack, offset: entry.base.offset };
    if (!next) throw new GitError("CorruptData", `${place.pack.name} lacks the base of a delta`);
    place = next;
    object = cache.get(place);
  }
  for (const [index, delta] of deltas.entries().toArray().reverse()) {
    object = { kind: object.kind, bytes: applyDelta(delta.bytes, object.bytes, index === 0 ? maxBytes : maxObjectBytes) };
    cache.set(delta.place, object);
  }
  if (object.bytes.length > maxBytes) throw new ObjectTooLargeError(object.bytes.length, maxBytes);
  return object;
}

interface BaseCache {
  get(place: Place): GitObject | undefined;
  set(place: Place, object: GitObject): void;
}

function baseCache(): BaseCache {
  const objects = new Map<string, GitObject>();
  let bytes = 0;
  const key = ({ pack, offset }: Place) => `${pack.name}:${offset}`;
  return {
    get: (place) => objects.get(key(place)),
    set: (place, object) => {
      if (object.bytes.length > cacheBytes / 8 || objects.has(key(place))) return;
      objects.set(key(place), object);
      bytes += object.bytes.length;
      for (const [oldest, { bytes: old }] of objects) {
        if (bytes <= cacheBytes) break;
        objects.delete(oldest);
        bytes -= old.length;
      }
    },
  };
}

function loosePath(gitdir: string, oid: string): string {
  return join(gitdir, "objects", oid.slice(0, 2), oid.slice(2));
}

function readLoose(gitdir: string, oid: string, maxBytes: number): GitObject | undefined {
  const path = loosePath(gitdir, oid);
  if (!existsSync(path)) return undefined;
  const bytes = inflateLoose(path, oid, maxBytes);
  const end = bytes.indexOf(0);
  const [kind, length] = bytes.toString("latin1", 0, Math.max(end, 0)).split(" ");
  if (!isKind(kind) || Number(length) !== bytes.length - end - 1) throw new GitError("CorruptData", `object ${oid} is damaged`);
  if (Number(length) > maxBytes) throw new ObjectTooLargeError(Number(length), maxBytes);
  return { kind, bytes: bytes.subarray(end + 1) };
}

function inflateLoose(path: string, oid: string, maxBytes: number): Buffer {
  try {
    return inflateSync(readFileSync(path), { maxOutputLength: maxBytes + 64 });
  } catch (error) {
    if (error instanceof RangeError) throw new ObjectTooLargeError(maxBytes + 1, maxBytes);
    throw new GitError("CorruptData", `object ${oid} is damaged`, { cause: error });
  }
}

function isKind(kind: string | undefined): kind is ObjectKind {
  return kind === "commit" || kind === "tree" || kind === "blob" || kind === "tag";
}

function writeLoose(gitdir: string, oid: string, bytes: Buffer): void {
  const path = loosePath(gitdir, oid);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, deflateSync(bytes));
  renameSync(`${path}.new`, path);
}
