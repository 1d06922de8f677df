import { createHash } from "node:crypto";
import { GitError } from "./git.ts";
import { deltaSizes, inflate, parseEntryHeader } from "./pack.ts";
import { DamagedTransferError } from "./pkt-line.ts";

const maxInflatedBytes = 256 * 1024 * 1024;
const maxObjectBytes = 64 * 1024 * 1024;
const headerBytes = 12;
const trailerBytes = 20;

/**
 * Checks a received pack before anything is done with it: that it is whole (its SHA-1 equals its trailer), that every object
 * inflates to what it states, and that no object and not all of them together are larger than our limits.
 */
export function checkPack(pack: Buffer): void {
  try {
    checkEntries(pack);
  } catch (error) {
    if (!(error instanceof GitError) || error.reason !== "CorruptData") throw error;
    throw new DamagedTransferError(error.message, { cause: error });
  }
}

function checkEntries(pack: Buffer): void {
  const end = pack.length - trailerBytes;
  if (end < headerBytes || pack.toString("latin1", 0, 4) !== "PACK" || pack.readUInt32BE(4) !== 2) {
    throw new DamagedTransferError("the remote sent something that is not a pack");
  }
  if (!createHash("sha1").update(pack.subarray(0, end)).digest().equals(pack.subarray(end))) {
    throw new DamagedTransferError("the pack was damaged or cut off on its way: its checksum differs");
  }
  let inflated = 0;
  let at = headerBytes;
  for (let left = pack.readUInt32BE(8); left > 0; left--) {
    const header = parseEntryHeader(pack.subarray(at, Math.min(at + 64, end)), at);
    inflated += header.size;
    refuseAbove(header.size, maxObjectBytes, "an object of the pack is");
    refuseAbove(inflated, maxInflatedBytes, "the objects of the pack are together");
    const { bytes, consumed } = inflate(pack.subarray(at + header.length, end), header.size);
    if (header.base) refuseAbove(deltaSizes(bytes).result, maxObjectBytes, "an object of the pack is");
    at += header.length + consumed;
  }
  if (at !== end) throw new DamagedTransferError("the pack holds more than the objects it states");
}

function refuseAbove(bytes: number, maxBytes: number, what: string): void {
  if (bytes > maxBytes) throw new GitError("LimitExceeded", `${what} larger than the limit of ${maxBytes / 1024 / 1024} MiB`);
}
