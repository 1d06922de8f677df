import { spawn } from "node:child_process";

/** Runs git on one bare repository and gives its standard output; rejects with git's words unless it ends with an expected code. */
export type GitDir = (args: readonly string[], options?: GitRun) => Promise<GitResult>;

/** How one git command is run. */
interface GitRun {
  /** Standard input. */
  readonly input?: string;
  /** Exit codes that are an answer, not a failure; 0 when left out. */
  readonly codes?: readonly number[];
  /** A folder of its own to work in: its `index` is the index, its `files` are the work tree. */
  readonly workIn?: string;
}

/** What one git command answered. */
interface GitResult {
  readonly code: number;
  readonly stdout: string;
}

const maxOutputBytes = 8 * 1024 * 1024;
const timeoutMs = 30_000;

/** Git on the bare repository at this absolute path. The user's own configuration has no say. */
export function gitDir(path: string): GitDir {
  return (args, { input = "", codes = [0], workIn } = {}) => {
    const { promise, resolve, reject } = Promise.withResolvers<GitResult>();
    const settings = ["GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", ...(workIn ? [`GIT_INDEX_FILE=${workIn}/index`] : [])];
    const place = workIn ? ["--work-tree", `${workIn}/files`] : [];
    const command = [...settings, "git", "--git-dir", path, ...place, ...args];
    const child = spawn("env", command, { timeout: timeoutMs, ...(workIn ? { cwd: `${workIn}/files` } : {}) });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let size = 0;
    child.stdout.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxOutputBytes) child.kill();
      else stdout.push(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code !== null && codes.includes(code)) resolve({ code, stdout: Buffer.concat(stdout).toString() });
      else reject(new Error(`git ${args[0] ?? ""} ended with ${code ?? "a signal"}: ${Buffer.concat(stderr).toString().trim()}`));
    });
    // A git that ends before it has read everything says why on standard error.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    return promise;
  };
}

/** The commit a branch is at; `undefined`: there is no such branch. */
export async function branchCommit(git: GitDir, branch: string): Promise<string | undefined> {
  return refCommit(git, `refs/heads/${branch}`);
}

/** The object a full ref name is at; `undefined`: there is no such ref. */
export async function refCommit(git: GitDir, ref: string): Promise<string | undefined> {
  const { code, stdout } = await git(["rev-parse", "--verify", "--quiet", "--end-of-options", ref], { codes: [0, 1] });
  return code === 0 ? stdout.trim() : undefined;
}

/** Every branch with its commit. */
export async function branches(git: GitDir): Promise<Map<string, string>> {
  const { stdout } = await git(["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/"]);
  const lines = stdout.split("\n").filter((line) => line !== "");
  return new Map(lines.map((line) => [line.slice(41 + "refs/heads/".length), line.slice(0, 40)]));
}
