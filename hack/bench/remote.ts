import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { startGitHttp } from "../../src/sandbox/git-server/http-backend.ts";

/** A repository that the bench writes to as people do: by commit and push. */
export interface Repository {
  /** As a GitRepository's spec names it. */
  readonly url: string;
  /** The bare repository. */
  readonly path: string;
  /** Commits these files over what is there and pushes; returns the commit. */
  commit(files: Readonly<Record<string, string>>, message?: string): string;
  /** Runs git in the work tree. */
  git(...args: string[]): string;
}

/** A Git server on loopback. */
export interface Remote {
  repository(name: string): Repository;
  close(): Promise<void>;
}

const settings = ["user.name=Ada", "user.email=ada@example.com", "init.defaultBranch=main", "commit.gpgsign=false", "gc.auto=0"];
const environment = { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };

/** Runs git; throws with its words when it fails. */
export function git(cwd: string, ...args: readonly string[]): string {
  const configured = settings.flatMap((setting) => ["-c", setting]);
  const env = { ...environment, PATH: process.env["PATH"] };
  return execFileSync("git", [...configured, ...args], { cwd, env, encoding: "utf8", stdio: ["pipe", "pipe", "pipe"], maxBuffer: 2 ** 28 }).trim();
}

/** Starts git's own HTTP server on bare repositories in this folder. */
export async function startRemote(dir: string): Promise<Remote> {
  mkdirSync(dir, { recursive: true });
  const server = await startGitHttp({ dir });
  return {
    repository: (name) => openRepository(dir, name, `${server.url}/${name}.git`),
    close: () => server.close(),
  };
}

function openRepository(dir: string, name: string, url: string): Repository {
  const [bare, work] = [join(dir, `${name}.git`), join(dir, `${name}.work`)];
  for (const path of [bare, work]) {
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true });
  }
  git(bare, "init", "--bare", "--quiet");
  git(work, "init", "--quiet");
  git(work, "remote", "add", "origin", bare);
  return {
    url,
    path: bare,
    git: (...args) => git(work, ...args),
    commit: (files, message = "Change") => {
      for (const [path, content] of Object.entries(files)) {
        mkdirSync(dirname(join(work, path)), { recursive: true });
        writeFileSync(join(work, path), content);
      }
      git(work, "add", "-A");
      git(work, "commit", "--quiet", "-m", message);
      git(work, "push", "--quiet", "origin", "HEAD:refs/heads/main");
      return git(work, "rev-parse", "HEAD");
    },
  };
}
