import { type Hunk, lineDiff } from "./line-diff.ts";

/** Lines of a text with their ends; each byte is one character, so that nothing is lost whatever the encoding. */
export function linesOf(bytes: Buffer): string[] {
  return bytes.toString("latin1").match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** The bytes of lines read by {@link linesOf}. */
function bytesOf(lines: readonly string[]): Buffer {
  return Buffer.from(lines.join(""), "latin1");
}

/** As Git decides it: a zero byte among the first 8,000. */
export function isBinary(bytes: Buffer): boolean {
  return bytes.subarray(0, 8_000).includes(0);
}

/** Text with only these of its hunks taken back; indices that do not exist do nothing. */
export function withoutHunks(
  change: { before: readonly string[]; after: readonly string[]; hunks: readonly Hunk[] },
  undone: ReadonlySet<number>,
): Buffer {
  const out: string[] = [];
  let at = 0;
  for (const [index, hunk] of change.hunks.entries()) {
    if (!undone.has(index)) continue;
    out.push(...change.after.slice(at, hunk.afterStart), ...change.before.slice(hunk.beforeStart, hunk.beforeEnd));
    at = hunk.afterEnd;
  }
  return bytesOf([...out, ...change.after.slice(at)]);
}

/** The three texts of a merge. */
interface ThreeTexts {
  readonly base: Buffer;
  readonly ours: Buffer;
  readonly theirs: Buffer;
}

/** Three-way merge by lines; `undefined` is a conflict. Changes that touch conflict, unless they are the same. */
export function mergeText({ base, ours, theirs }: ThreeTexts): Buffer | undefined {
  const baseLines = linesOf(base);
  const sides = [sideOf(baseLines, ours), sideOf(baseLines, theirs)] as const;
  const out: string[] = [];
  let at = 0;
  for (let region = nextRegion(sides); region; region = nextRegion(sides)) {
    const merged = resolve(region);
    if (!merged) return undefined;
    out.push(...baseLines.slice(at, region.start), ...merged);
    at = region.end;
  }
  return bytesOf([...out, ...baseLines.slice(at)]);
}

/** One side's lines and those of its hunks that are not merged yet. */
interface Side {
  readonly lines: readonly string[];
  readonly hunks: readonly Hunk[];
  next: number;
}

/** A part of the base that was changed; `ours` and `theirs` are what became of it, `undefined` if that side left it alone. */
interface Region {
  readonly start: number;
  readonly end: number;
  readonly ours: readonly string[] | undefined;
  readonly theirs: readonly string[] | undefined;
}

function sideOf(base: readonly string[], text: Buffer): Side {
  const lines = linesOf(text);
  return { lines, hunks: lineDiff(base, lines), next: 0 };
}

/** The first hunk that is left, grown by all that overlap or touch it. */
function nextRegion([ours, theirs]: readonly [Side, Side]): Region | undefined {
  const first = [ours, theirs]
    .flatMap(({ hunks, next }) => hunks[next] ?? [])
    .sort((a, b) => a.beforeStart - b.beforeStart || a.beforeEnd - b.beforeEnd)[0];
  if (!first) return undefined;
  const range = { start: first.beforeStart, end: first.beforeEnd };
  const from = { ours: ours.next, theirs: theirs.next };
  // Taking a hunk of one side can make the region reach one of the other.
  while (take(ours, range) || take(theirs, range)) continue;
  return { ...range, ours: regionOf(ours, from.ours, range), theirs: regionOf(theirs, from.theirs, range) };
}

function take(side: Side, range: { end: number }): boolean {
  const hunk = side.hunks[side.next];
  if (!hunk || hunk.beforeStart > range.end) return false;
  range.end = Math.max(range.end, hunk.beforeEnd);
  side.next++;
  return true;
}

function regionOf(
  { lines, hunks, next }: Side,
  from: number,
  { start, end }: { start: number; end: number },
): readonly string[] | undefined {
  const first = hunks[from];
  const last = hunks[next - 1];
  if (next === from || !first || !last) return undefined;
  return lines.slice(first.afterStart - (first.beforeStart - start), last.afterEnd + (end - last.beforeEnd));
}

function resolve({ ours, theirs }: Region): readonly string[] | undefined {
  if (!ours || !theirs) return ours ?? theirs;
  return ours.length === theirs.length && ours.every((line, index) => line === theirs[index]) ? ours : undefined;
}
