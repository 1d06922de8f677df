import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { constants, inflateSync } from "node:zlib";
import { GitError } from "./git.ts";

/** What an object is. */
export type ObjectKind = "commit" | "tree" | "blob" | "tag";

/** An object as a pack stores it: whole, or as a difference to another. */
type PackEntry = { readonly bytes: Buffer } & (
  | { readonly stored: "whole"; readonly kind: ObjectKind }
  | { readonly stored: "delta"; readonly base: { readonly offset: number } | { readonly oid: string } }
);

/** An object is larger than the caller allows. */
export class ObjectTooLargeError extends GitError {
  constructor(bytes: number, maxBytes: number) {
    super("LimitExceeded", `an object of ${bytes} bytes is larger than the limit of ${maxBytes} bytes`);
    this.name = "ObjectTooLargeError";
  }
}

/** One pack and its index. Keeps the index in memory and the pack on disk. */
export interface Pack {
  readonly name: string;
  /** Where the object begins; `undefined`: not in this pack. */
  find(oid: Buffer): number | undefined;
  /** Inflates one entry. Throws LimitExceeded above `maxBytes`, CorruptData when the bytes are not what they say. */
  entryAt(offset: number, maxBytes: number): PackEntry;
  close(): void;
}

/** Header of an entry: what it is, how large when inflated, where its compressed bytes begin. */
interface EntryHeader {
  readonly type: number;
  readonly size: number;
  readonly base: { readonly offset: number } | { readonly oid: string } | undefined;
  /** Bytes from the entry's first to its compressed ones. */
  readonly length: number;
}

const kinds: Readonly<Record<number, ObjectKind>> = { 1: "commit", 2: "tree", 3: "blob", 4: "tag" };
const fanoutAt = 8;
const namesAt = fanoutAt + 256 * 4;
const probeBytes = 32 * 1024;

/** Opens a pack by its index (version 2). Throws CorruptData when the index is not one. */
export function openPack(indexPath: string): Pack {
  const index = readFileSync(indexPath);
  const name = indexPath.replace(/^.*\//, "").replace(/\.idx$/, "");
  if (index.length < namesAt + 40 || index.readUInt32BE(0) !== 0xff744f63 || index.readUInt32BE(4) !== 2)
    throw corrupt(name, "has no index of version 2");
  const count = index.readUInt32BE(namesAt - 4);
  const offsetsAt = namesAt + count * 24;
  if (index.length < offsetsAt + count * 4 + 40) throw corrupt(name, "has a truncated index");
  const file = openSync(indexPath.replace(/\.idx$/, ".pack"), "r");
  const size = fstatSync(file).size;
  return {
    name,
    find: (oid) => findInIndex(index, oid, offsetsAt),
    entryAt: (offset, maxBytes) => readEntry({ name, file, size }, offset, maxBytes),
    close: () => closeSync(file),
  };
}

function findInIndex(index: Buffer, oid: Buffer, offsetsAt: number): number | undefined {
  const first = oid[0] ?? 0;
  let low = first === 0 ? 0 : index.readUInt32BE(fanoutAt + (first - 1) * 4);
  let high = index.readUInt32BE(fanoutAt + first * 4);
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = namesAt + middle * 20;
    const order = oid.compare(index, at, at + 20);
    if (order === 0) return index.readUInt32BE(offsetsAt + middle * 4);
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return undefined;
}

function readEntry(pack: { name: string; file: number; size: number }, offset: number, maxBytes: number): PackEntry {
  const probe = Buffer.allocUnsafe(Math.min(probeBytes, Math.max(0, pack.size - offset)));
  const got = readSync(pack.file, probe, 0, probe.length, offset);
  const header = parseEntryHeader(probe.subarray(0, got), offset);
  if (header.size > maxBytes) throw new ObjectTooLargeError(header.size, maxBytes);
  let compressed = probe.subarray(header.length, got);
  // Deflate never grows data by more than this.
  const longest = header.size + (header.size >>> 10) + 1024;
  if (longest > compressed.length && got === probeBytes) {
    compressed = Buffer.allocUnsafe(Math.min(longest, pack.size - offset - header.length));
    readSync(pack.file, compressed, 0, compressed.length, offset + header.length);
  }
  const { bytes } = inflate(compressed, header.size);
  const kind = kinds[header.type];
  if (kind) return { stored: "whole", kind, bytes };
  if (!header.base) throw corrupt(pack.name, `holds an object of unknown type ${header.type}`);
  return { stored: "delta", base: header.base, bytes };
}

/** Reads the header of the entry that `bytes` begin with. */
export function parseEntryHeader(bytes: Buffer, offset: number): EntryHeader {
  const next = byteReader(bytes);
  let byte = next();
  const type = (byte >> 4) & 7;
  let size = byte & 15;
  for (let factor = 16; byte & 128; factor *= 128) {
    byte = next();
    size += (byte & 127) * factor;
    if (!Number.isSafeInteger(size)) throw new GitError("CorruptData", "a pack states an impossible size");
  }
  if (type === 6) return { type, size, base: { offset: offset - readDistance(next) }, length: next.position() };
  if (type !== 7) return { type, size, base: undefined, length: next.position() };
  const at = next.position();
  return { type, size, base: { oid: bytes.toString("hex", at, at + 20) }, length: at + 20 };
}

function readDistance(next: () => number): number {
  let byte = next();
  let distance = byte & 127;
  while (byte & 128) {
    byte = next();
    distance = (distance + 1) * 128 + (byte & 127);
    if (!Number.isSafeInteger(distance)) break;
  }
  if (distance <= 0 || !Number.isSafeInteger(distance))
    throw new GitError("CorruptData", "a pack refers to an object before its own beginning");
  return distance;
}

function byteReader(bytes: Buffer): (() => number) & { position(): number; skip(count: number): void } {
  let at = 0;
  const next = () => {
    const byte = bytes[at++];
    if (byte === undefined) throw new GitError("CorruptData", "a pack ends in the middle of an object");
    return byte;
  };
  const skip = (count: number) => {
    at += count;
  };
  return Object.assign(next, { position: () => at, skip });
}

/** Inflates exactly `size` bytes; what follows the compressed bytes is ignored. `consumed`: how many of them there were. */
export function inflate(compressed: Buffer, size: number): { bytes: Buffer; consumed: number } {
  try {
    const options = {
      info: true,
      maxOutputLength: Math.max(size, 1),
      finishFlush: constants.Z_SYNC_FLUSH,
      chunkSize: Math.min(Math.max(size, 64), 65_536),
    };
    // The types of Node do not know what `info` changes.
    const { buffer, engine } = inflateSync(compressed, options) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    if (buffer.length !== size) throw new GitError("CorruptData", "an object is not as large as its pack says");
    return { bytes: buffer, consumed: engine.bytesWritten };
  } catch (error) {
    if (error instanceof GitError) throw error;
    throw new GitError("CorruptData", "an object cannot be inflated", { cause: error });
  }
}

/** Sizes that a delta states: of what it is applied to and of what comes out. */
export function deltaSizes(delta: Buffer): { base: number; result: number; length: number } {
  const next = byteReader(delta);
  const size = () => {
    let total = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = next();
      total += (byte & 127) * factor;
      if (!(byte & 128)) return total;
      if (factor > 2 ** 42) throw new GitError("CorruptData", "a delta states an impossible size");
    }
  };
  const base = size();
  const result = size();
  return { base, result, length: next.position() };
}

/** Applies a delta. Throws CorruptData for one that does not fit its base or states other sizes than it has. */
export function applyDelta(delta: Buffer, base: Buffer, maxBytes: number): Buffer {
  const sizes = deltaSizes(delta);
  if (sizes.base !== base.length) throw new GitError("CorruptData", "a delta does not fit its base");
  if (sizes.result > maxBytes) throw new ObjectTooLargeError(sizes.result, maxBytes);
  const result = Buffer.allocUnsafe(sizes.result);
  const next = byteReader(delta.subarray(sizes.length));
  const end = delta.length - sizes.length;
  let written = 0;
  while (next.position() < end) {
    const instruction = next();
    const copies = (instruction & 128) !== 0;
    const { from, length } = copies ? copyRange(instruction, next) : { from: sizes.length + next.position(), length: instruction };
    copyPart(copies ? base : delta, { from, length }, { result, written });
    written += length;
    if (!copies) next.skip(length);
  }
  if (written !== result.length) throw new GitError("CorruptData", "a delta gives less than it says");
  return result;
}

function copyPart(
  source: Buffer,
  { from, length }: { from: number; length: number },
  { result, written }: { result: Buffer; written: number },
): void {
  if (length === 0 || from + length > source.length || written + length > result.length) {
    throw new GitError("CorruptData", "a delta copies bytes that are not there");
  }
  source.copy(result, written, from, from + length);
}

function copyRange(instruction: number, next: () => number): { from: number; length: number } {
  let from = 0;
  let length = 0;
  for (let bit = 0; bit < 4; bit++) if (instruction & (1 << bit)) from += next() * 2 ** (8 * bit);
  for (let bit = 0; bit < 3; bit++) if (instruction & (16 << bit)) length += next() * 2 ** (8 * bit);
  return { from, length: length === 0 ? 65_536 : length };
}

function corrupt(pack: string, what: string): GitError {
  return new GitError("CorruptData", `${pack} ${what}`);
}
