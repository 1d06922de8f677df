/** A place at which two lists of lines differ: `before[beforeStart..beforeEnd)` became `after[afterStart..afterEnd)`. */
export interface Hunk {
  readonly beforeStart: number;
  readonly beforeEnd: number;
  readonly afterStart: number;
  readonly afterEnd: number;
}

/** Above this many differing lines the middle counts as one hunk: the search costs the square of it. */
const maxDistance = 2_000;

/** One side of a comparison: the lines as numbers (equal lines, equal numbers) and which of them differ. */
interface Side {
  readonly lines: Int32Array;
  readonly changed: Uint8Array;
}

/** Hunks between two lists of lines, in order. As Git's: the shortest edit, each hunk slid down as far as it goes. */
export function lineDiff(before: readonly string[], after: readonly string[]): Hunk[] {
  const numbers = new Map<string, number>();
  const side = (lines: readonly string[]): Side => ({
    lines: Int32Array.from(lines, (line) => numbers.get(line) ?? (numbers.set(line, numbers.size), numbers.size - 1)),
    changed: new Uint8Array(lines.length),
  });
  const a = side(before);
  const b = side(after);
  mark(a, b);
  slideDown(a, b);
  slideDown(b, a);
  return hunksOf(a, b);
}

function mark(a: Side, b: Side): void {
  let start = 0;
  let endA = a.lines.length;
  let endB = b.lines.length;
  while (start < endA && start < endB && a.lines[start] === b.lines[start]) start++;
  while (endA > start && endB > start && a.lines[endA - 1] === b.lines[endB - 1]) {
    endA--;
    endB--;
  }
  const middle = { a: a.lines.subarray(start, endA), b: b.lines.subarray(start, endB) };
  const trace = start === endA || start === endB ? undefined : shortestEdit(middle.a, middle.b);
  if (trace) {
    markEdit(trace, { a: a.changed.subarray(start, endA), b: b.changed.subarray(start, endB) });
    return;
  }
  a.changed.fill(1, start, endA);
  b.changed.fill(1, start, endB);
}

/** How many lines of `before` are passed at the furthest point on each diagonal. */
interface Reach {
  at(diagonal: number): number;
}

/** Myers, "An O(ND) Difference Algorithm and Its Variations" (1986). `undefined`: too different. */
function shortestEdit(a: Int32Array, b: Int32Array): Reach[] | undefined {
  const limit = Math.min(a.length + b.length, maxDistance);
  const reach = new Int32Array(2 * limit + 3);
  const zero = limit + 1;
  const trace: Reach[] = [];
  for (let distance = 0; distance <= limit; distance++) {
    const saved = reach.slice(zero - distance - 1, zero + distance + 2);
    trace.push({ at: (diagonal) => saved[diagonal + distance + 1] ?? 0 });
    const before: Reach = { at: (diagonal) => reach[zero + diagonal] ?? 0 };
    for (let diagonal = -distance; diagonal <= distance; diagonal += 2) {
      let x = inserts(before, diagonal, distance) ? before.at(diagonal + 1) : before.at(diagonal - 1) + 1;
      while (x < a.length && x - diagonal < b.length && a[x] === b[x - diagonal]) x++;
      reach[zero + diagonal] = x;
      if (x >= a.length && x - diagonal >= b.length) return trace;
    }
  }
  return undefined;
}

/** Whether the furthest way to this diagonal comes by a line of `after`, not by leaving out one of `before`. */
function inserts(reach: Reach, diagonal: number, distance: number): boolean {
  return diagonal === -distance || (diagonal !== distance && reach.at(diagonal - 1) < reach.at(diagonal + 1));
}

function markEdit(trace: readonly Reach[], changed: { a: Uint8Array; b: Uint8Array }): void {
  let x = changed.a.length;
  let y = changed.b.length;
  for (let distance = trace.length - 1; distance > 0; distance--) {
    const reach = trace[distance];
    if (!reach) return;
    const diagonal = x - y;
    const inserted = inserts(reach, diagonal, distance);
    const from = inserted ? diagonal + 1 : diagonal - 1;
    x = reach.at(from);
    y = x - from;
    if (inserted) changed.b[y] = 1;
    else changed.a[x] = 1;
  }
}

/** Where a group of changed lines could as well be one line further down, it is. */
function slideDown(side: Side, other: Side): void {
  const { lines, changed } = side;
  const skip = (flags: Uint8Array, from: number) => {
    let at = from;
    while (at < flags.length && flags[at]) at++;
    return at;
  };
  let at = 0;
  let opposite = 0;
  while (at < lines.length) {
    const oppositeEnd = skip(other.changed, opposite);
    if (!changed[at]) {
      at++;
      opposite = oppositeEnd + 1;
      continue;
    }
    const end = skip(changed, at);
    const moved =
      oppositeEnd > opposite ? { end, opposite: oppositeEnd } : slideGroup(side, other.changed, { start: at, end, opposite, skip });
    at = moved.end;
    opposite = moved.opposite;
  }
}

interface Group {
  readonly start: number;
  readonly end: number;
  readonly opposite: number;
  skip(flags: Uint8Array, from: number): number;
}

function slideGroup({ lines, changed }: Side, otherChanged: Uint8Array, group: Group): { end: number; opposite: number } {
  let { start, end, opposite } = group;
  while (end < lines.length && lines[start] === lines[end] && !otherChanged[opposite]) {
    changed[start++] = 0;
    changed[end++] = 1;
    opposite++;
    end = group.skip(changed, end);
  }
  return { end, opposite };
}

function hunksOf(a: Side, b: Side): Hunk[] {
  const hunks: Hunk[] = [];
  let before = 0;
  let after = 0;
  while (before < a.lines.length || after < b.lines.length) {
    const beforeStart = before;
    const afterStart = after;
    while (a.changed[before]) before++;
    while (b.changed[after]) after++;
    if (before === beforeStart && after === afterStart) {
      before++;
      after++;
    } else hunks.push({ beforeStart, beforeEnd: before, afterStart, afterEnd: after });
  }
  return hunks;
}
