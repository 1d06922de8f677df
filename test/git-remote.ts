import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Remote } from "../src/git/git.ts";
import { type GitHttpOptions, startGitHttp } from "../src/sandbox/git-server/http-backend.ts";

/** A bare repository behind real HTTP, and a work tree to commit from. */
export interface GitRemote {
  /** A directory that goes away with it. */
  readonly dir: string;
  readonly bare: string;
  readonly remote: Remote;
  /** Runs git on the bare repository and returns what it prints. */
  readonly git: (...args: string[]) => string;
  /** Writes files (`null` deletes), commits on the branch that is checked out and returns the commit. */
  readonly commit: (files: Readonly<Record<string, string | Buffer | null>>, message?: string) => string;
  close(): Promise<void>;
}

const person = { name: "Ada", email: "ada@example.test" };

/** Runs git without the machine's own configuration. */
export function runGit(args: readonly string[], input?: string | Buffer): string {
  const env = {
    PATH: process.env["PATH"],
    HOME: "/nonexistent",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_AUTHOR_NAME: person.name,
    GIT_AUTHOR_EMAIL: person.email,
    GIT_COMMITTER_NAME: person.name,
    GIT_COMMITTER_EMAIL: person.email,
    GIT_TERMINAL_PROMPT: "0",
  };
  const options = { env, maxBuffer: 1 << 29, stdio: ["pipe", "pipe", "pipe"] as ["pipe", "pipe", "pipe"] };
  return execFileSync("git", args, input === undefined ? options : { ...options, input })
    .toString()
    .trim();
}

/** Starts one with an empty branch `main`. */
export async function aGitRemote(options: Omit<GitHttpOptions, "dir"> & { readonly timeoutMs?: number } = {}): Promise<GitRemote> {
  const dir = mkdtempSync(join(tmpdir(), "serin-git-"));
  const bare = join(dir, "served/app.git");
  const work = join(dir, "work");
  mkdirSync(work);
  runGit(["init", "-q", "--bare", "-b", "main", bare]);
  const server = await startGitHttp({ dir: join(dir, "served"), ...options });
  const git = (...args: string[]) =>
    runGit(["--git-dir", bare, "-c", "core.bare=false", "-c", "core.compression=1", "--work-tree", work, ...args]);
  return {
    dir,
    bare,
    remote: { url: `${server.url}/app.git`, auth: options.auth, timeoutMs: options.timeoutMs ?? 20_000 },
    git,
    commit: (files, message = "change") => {
      for (const [path, content] of Object.entries(files)) {
        rmSync(join(work, path), { recursive: true, force: true });
        if (content === null) continue;
        mkdirSync(dirname(join(work, path)), { recursive: true });
        writeFileSync(join(work, path), content);
      }
      git("add", "-A");
      git("commit", "-q", "--allow-empty", "-m", message);
      return git("rev-parse", "HEAD");
    },
    close: async () => {
      await server.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
