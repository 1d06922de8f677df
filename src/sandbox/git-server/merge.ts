import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GitDir } from "./git-dir.ts";

/** How a pull request gets into its base branch, as Gitea's API names it. */
export const mergeStyles = ["merge", "squash", "rebase", "rebase-merge"] as const;
export type MergeStyle = (typeof mergeStyles)[number];

/** What is merged into what. */
interface Merge {
  readonly style: MergeStyle;
  /** Commits. */
  readonly base: string;
  readonly head: string;
  /** Message of the merge or squash commit. */
  readonly message: string;
  readonly person: Person;
}

/** Who made a commit, and when. */
interface Person {
  readonly name: string;
  readonly email: string;
  /** Seconds since the Unix epoch. */
  readonly time: number;
}

/** Two sides changed the same lines. */
export class MergeConflict extends Error {
  override readonly name = "MergeConflict";
}

/** Writes the objects of the merge and gives the commit the base branch then moves to; no ref is touched. Throws {@link MergeConflict}. */
export async function writeMerge(git: GitDir, { style, base, head, message, person }: Merge): Promise<string> {
  const commit = (tree: string, parents: readonly string[]) => writeCommit(git, { tree, parents, people: byOne(person), message });
  switch (style) {
    case "merge":
      return commit(await mergedTree(git, base, head), [base, head]);
    case "squash":
      return commit(await mergedTree(git, base, head), [base]);
    case "rebase":
      return rebase(git, { base, head, person });
    case "rebase-merge": {
      const tip = await rebase(git, { base, head, person });
      return commit(await treeOf(git, tip), [base, tip]);
    }
    default:
      return style satisfies never;
  }
}

async function rebase(git: GitDir, { base, head, person }: Pick<Merge, "base" | "head" | "person">): Promise<string> {
  const { stdout } = await git(["rev-list", "--reverse", "--topo-order", "--no-merges", `${base}..${head}`]);
  let tip = base;
  for (const commit of stdout.split("\n").filter((line) => line !== "")) tip = await cherryPick(git, { commit, tip, person });
  return tip;
}

async function cherryPick(git: GitDir, { commit, tip, person }: { commit: string; tip: string; person: Person }): Promise<string> {
  const { stdout } = await git(["show", "--no-patch", "--format=%P%n%an <%ae> %ad%n%B", "--date=raw", "--end-of-options", commit]);
  const [parents = "", author = "", ...message] = stdout.split("\n");
  const parent = parents.split(" ", 1)[0] ?? "";
  if (parent === tip) return commit;
  if (parent === "") throw new MergeConflict("a first commit cannot be rebased");
  // A commit with the tip's tree on the picked commit's parent: merging the two has exactly that parent as merge base.
  const stand = await writeCommit(git, { tree: await treeOf(git, tip), parents: [parent], people: byOne(person), message: "" });
  const tree = await mergedTree(git, stand, commit);
  const people = `author ${author}\ncommitter ${stamp(person)}`;
  return writeCommit(git, { tree, parents: [tip], people, message: message.join("\n") });
}

async function mergedTree(git: GitDir, ours: string, theirs: string): Promise<string> {
  const { code, stdout } = await git(["merge-tree", "--write-tree", "--name-only", ours, theirs], { codes: [0, 1, unknownOption] });
  if (code === unknownOption) return mergedByFiles(git, ours, theirs);
  const [tree = "", ...rest] = stdout.split("\n");
  if (code === 1) throw conflictIn(rest.slice(0, rest.indexOf("")));
  return tree;
}

/** How git ends when it does not know an option. */
const unknownOption = 129;

/** The tree of a merge as git before 2.38 can make it: file by file, renames unseen. Throws {@link MergeConflict}. */
export async function mergedByFiles(git: GitDir, ours: string, theirs: string): Promise<string> {
  const workIn = await mkdtemp(join(tmpdir(), "serin-merge-"));
  try {
    await mkdir(join(workIn, "files"));
    const ancestor = (await git(["merge-base", ours, theirs])).stdout.trim();
    await git(["read-tree", "-i", "-m", "--aggressive", ancestor, ours, theirs], { workIn });
    await git(["merge-index", "-o", "-q", "git-merge-one-file", "-a"], { workIn, codes: [0, 1, 2] });
    const { stdout } = await git(["diff", "--name-only", "--diff-filter=U"], { workIn });
    const conflicts = stdout.split("\n").filter((line) => line !== "");
    if (conflicts.length > 0) throw conflictIn(conflicts);
    return (await git(["write-tree"], { workIn })).stdout.trim();
  } finally {
    await rm(workIn, { recursive: true, force: true });
  }
}

function conflictIn(paths: readonly string[]): MergeConflict {
  return new MergeConflict(`conflict in ${paths.join(", ")}`);
}

async function treeOf(git: GitDir, commit: string): Promise<string> {
  return (await git(["rev-parse", "--verify", "--end-of-options", `${commit}^{tree}`])).stdout.trim();
}

interface CommitText {
  readonly tree: string;
  readonly parents: readonly string[];
  /** The author's and the committer's line. */
  readonly people: string;
  readonly message: string;
}

async function writeCommit(git: GitDir, { tree, parents, people, message }: CommitText): Promise<string> {
  const lines = [`tree ${tree}`, ...parents.map((parent) => `parent ${parent}`), people, "", `${message.trimEnd()}\n`];
  return (await git(["hash-object", "-t", "commit", "-w", "--stdin"], { input: lines.join("\n") })).stdout.trim();
}

function byOne(person: Person): string {
  return `author ${stamp(person)}\ncommitter ${stamp(person)}`;
}

function stamp({ name, email, time }: Person): string {
  return `${name} <${email}> ${time} +0000`;
}
