import { GitError } from "./git.ts";

/** One frame of Git's wire format: its payload, or one of the three marks. */
export type PktLine = Buffer | "flush" | "delimiter" | "end";

/** What the remote sent is damaged or cut off. Says nothing about what we have on disk. */
export class DamagedTransferError extends GitError {
  constructor(message: string, options?: ErrorOptions) {
    super("CorruptData", message, options);
    this.name = "DamagedTransferError";
  }
}

/** A frame that ends a list. */
export const flushPkt: Buffer = Buffer.from("0000");
/** A frame that parts a protocol v2 command from its arguments. */
export const delimiterPkt: Buffer = Buffer.from("0001");

/** Frames one payload. */
export function encodePkt(payload: string): Buffer {
  const body = Buffer.from(payload);
  return Buffer.concat([Buffer.from((body.length + 4).toString(16).padStart(4, "0")), body]);
}

/** All frames of a complete reply. Throws CorruptData when the bytes are not framed, or end inside a frame. */
export function parsePktLines(bytes: Buffer): PktLine[] {
  const lines: PktLine[] = [];
  let at = 0;
  while (at < bytes.length) {
    const length = frameLength(bytes, at);
    if (length < 4) {
      lines.push(length === 0 ? "flush" : length === 1 ? "delimiter" : "end");
      at += 4;
      continue;
    }
    if (at + length > bytes.length) throw new DamagedTransferError("the remote's reply ends in the middle of a line");
    lines.push(bytes.subarray(at + 4, at + length));
    at += length;
  }
  return lines;
}

function frameLength(bytes: Buffer, at: number): number {
  const digits = bytes.toString("latin1", at, at + 4);
  const length = /^[0-9a-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : Number.NaN;
  if (Number.isNaN(length) || length === 3) throw new DamagedTransferError("the remote's reply is not in Git's line format");
  return length;
}

/** A side-band reply taken apart: what was meant for us, what for the user, and the error that ended it. */
interface SideBand {
  readonly data: Buffer;
  /** Progress and what hooks print, one line each, without control characters. */
  readonly messages: readonly string[];
  readonly fatal: string | undefined;
}

/** Splits frames by their band byte; frames of no band are left out. */
export function splitSideBand(lines: readonly PktLine[]): SideBand {
  const data: Buffer[] = [];
  let messages = "";
  let fatal: string | undefined;
  for (const line of lines) {
    if (typeof line === "string") continue;
    if (line[0] === 1) data.push(line.subarray(1));
    if (line[0] === 2) messages += line.toString("utf8", 1);
    if (line[0] === 3) fatal = printable(line.toString("utf8", 1));
  }
  const said = messages.split(/[\r\n]+/).map(printable);
  return { data: Buffer.concat(data), messages: said.filter((line) => line !== ""), fatal };
}

/** Foreign text fit for a status or a log line: control characters become spaces, at most 500 characters. */
export function printable(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}]+/gu, " ")
    .trim()
    .slice(0, 500);
}
