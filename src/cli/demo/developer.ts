import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Someone who works on the repository with git, as a user would. */
export interface Developer {
  /** Folder of the clone. */
  readonly dir: string;
  /** Writes the files, commits and pushes to main. Returns the commit's id. */
  push(message: string, files: Readonly<Record<string, string>>, signal: AbortSignal): Promise<string>;
}

/** Who works, and where. */
export interface DeveloperOptions {
  readonly cloneUrl: string;
  readonly dir: string;
  readonly name: string;
  readonly login: string;
  readonly password: string;
  /** Where git is looked for. */
  readonly searchPath: string;
}

/** Makes a clone of the repository in the folder. */
export async function startDeveloper(options: DeveloperOptions, signal: AbortSignal): Promise<Developer> {
  const { dir, login, password } = options;
  const url = new URL(options.cloneUrl);
  url.username = login;
  url.password = password;
  await mkdir(dir, { recursive: true });
  const git = async (...args: string[]): Promise<string> =>
    (await run("git", ["-C", dir, ...args], { signal, env: gitEnvironment(options) })).stdout.trim();
  await git("init", "--quiet", "--initial-branch", "main");
  await git("remote", "add", "origin", url.href);
  return {
    dir,
    push: async (message, files) => {
      // The other team, and the host's merge button, push too.
      await git("fetch", "--quiet", "origin");
      if ((await git("ls-remote", "origin", "refs/heads/main")) !== "") await git("reset", "--quiet", "--hard", "origin/main");
      for (const [path, text] of Object.entries(files)) await write(join(dir, path), text);
      await git("add", "--all");
      await git("commit", "--quiet", "--message", message);
      await git("push", "--quiet", "origin", "HEAD:refs/heads/main");
      return git("rev-parse", "HEAD");
    },
  };
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

/** Variables for git as this person: nothing of the user's own configuration takes part. */
export function gitEnvironment(
  { name, login, searchPath }: Pick<DeveloperOptions, "name" | "login" | "searchPath">,
): Record<string, string> {
  const email = `${login}@example.com`;
  return {
    PATH: searchPath,
    HOME: "/nonexistent",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_TERMINAL_PROMPT: "0",
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: email,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: email,
  };
}
