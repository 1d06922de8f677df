/** One file that the culprit commits changed, and whether its hunks can be undone one by one. */
export interface Part {
  readonly path: string;
  /** Number of hunks; 0 when they cannot be parted. */
  readonly hunks: number;
}

/** Which parts of the commits' changes are undone. */
export interface Selection {
  readonly path: string;
  /** Missing: the whole file. */
  readonly hunks?: readonly number[] | undefined;
}

/** What trying a selection gave. `undefined`: it does not undo the cause, or has no clean inverse. */
export type Attempt<Result> = (selection: readonly Selection[]) => Promise<Result | undefined>;

/** Above this many files or hunks none are tried one by one: what remains is larger than need be, never wrong. */
const most = 200;

/**
 * The smallest part of the commits whose inverse undoes the cause (design rule 5): file by file, then hunk by hunk,
 * whatever can stay is dropped from the selection. Deterministic.
 * @param attempt makes and checks the inverse of a selection
 * @returns `undefined` when no selection undoes the cause cleanly
 */
export async function smallestPart<Result>(
  parts: readonly Part[],
  attempt: Attempt<Result>,
): Promise<{ selection: Selection[]; result: Result } | undefined> {
  const start = await firstThatWorks(parts, attempt);
  if (!start) return undefined;
  const files = await dropFiles(start, attempt);
  return dropHunks(files, parts, attempt);
}

interface Working<Result> {
  readonly selection: Selection[];
  readonly result: Result;
}

/** All files; and when one of them has no clean inverse, each alone: a conflict elsewhere need not stand in the way. */
async function firstThatWorks<Result>(parts: readonly Part[], attempt: Attempt<Result>): Promise<Working<Result> | undefined> {
  const all = parts.map(({ path }) => ({ path }));
  const candidates = [all, ...(parts.length > 1 && parts.length <= most ? all.map((file) => [file]) : [])];
  for (const selection of candidates) {
    const result = await attempt(selection);
    if (result !== undefined) return { selection, result };
  }
  return firstHunk(parts, attempt);
}

/** A single hunk may undo the cause where its whole file conflicts with later commits. */
async function firstHunk<Result>(parts: readonly Part[], attempt: Attempt<Result>): Promise<Working<Result> | undefined> {
  const hunks = parts.flatMap(({ path, hunks: count }) => Array.from({ length: count }, (_, hunk) => [{ path, hunks: [hunk] }]));
  if (hunks.length > most) return undefined;
  for (const selection of hunks) {
    const result = await attempt(selection);
    if (result !== undefined) return { selection, result };
  }
  return undefined;
}

async function dropFiles<Result>(start: Working<Result>, attempt: Attempt<Result>): Promise<Working<Result>> {
  if (start.selection.length > most) return start;
  let best = start;
  for (const file of start.selection) {
    if (best.selection.length === 1) break;
    const selection = best.selection.filter((kept) => kept.path !== file.path);
    const result = await attempt(selection);
    if (result !== undefined) best = { selection, result };
  }
  return best;
}

async function dropHunks<Result>(start: Working<Result>, parts: readonly Part[], attempt: Attempt<Result>): Promise<Working<Result>> {
  const counts = new Map(parts.map(({ path, hunks }) => [path, hunks]));
  let best = start;
  for (const { path, hunks } of start.selection) {
    const count = counts.get(path) ?? 0;
    if (hunks !== undefined || count < 2 || count > most) continue;
    for (const hunk of Array.from({ length: count }, (_, index) => index)) {
      const selection = withoutHunk(best.selection, path, hunk, count);
      const result = selection === undefined ? undefined : await attempt(selection);
      if (selection !== undefined && result !== undefined) best = { selection, result };
    }
  }
  return best;
}

/** `undefined` when nothing of the file would be left. */
function withoutHunk(selection: readonly Selection[], path: string, hunk: number, count: number): Selection[] | undefined {
  const current = selection.find((file) => file.path === path)?.hunks ?? Array.from({ length: count }, (_, index) => index);
  const hunks = current.filter((kept) => kept !== hunk);
  return hunks.length === 0 ? undefined : selection.map((file) => (file.path === path ? { path, hunks } : file));
}
