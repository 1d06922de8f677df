import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A bare repository with one branch, written to as people do: by commit and push. */
export interface GitSource {
  /** Makes these the only files of the branch and returns the commit. `undefined` content: a symbolic link out of the tree. */
  commit(files: Readonly<Record<string, string | Uint8Array | undefined>>, message?: string): string;
  /** Runs git in the work tree. */
  git(...args: string[]): string;
}

/** Makes `<dir>/<name>.git` and a work tree beside it. */
export function gitSource(dir: string, name: string): GitSource {
  const [bare, work] = [join(dir, `${name}.git`), join(dir, `${name}.work`)];
  const run = (cwd: string, args: readonly string[]): string =>
    execFileSync(
      "git",
      ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false", ...args],
      {
        cwd,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
        env: { PATH: process.env["PATH"], GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" },
      },
    ).trim();
  for (const path of [bare, work]) mkdirSync(path, { recursive: true });
  run(bare, ["init", "--bare", "--quiet"]);
  run(bare, ["config", "receive.denyDeleteCurrent", "ignore"]);
  run(work, ["init", "--quiet"]);
  run(work, ["remote", "add", "origin", bare]);
  return {
    git: (...args) => run(work, args),
    commit: (files, message = "Change") => {
      run(work, ["rm", "-r", "-q", "--ignore-unmatch", "."]);
      for (const [path, content] of Object.entries(files)) {
        const file = join(work, path);
        mkdirSync(dirname(file), { recursive: true });
        rmSync(file, { force: true });
        if (content === undefined) symlinkSync("/etc/hostname", file);
        else writeFileSync(file, content);
      }
      run(work, ["add", "-A"]);
      run(work, ["commit", "--quiet", "--allow-empty", "-m", message]);
      run(work, ["push", "--quiet", "--force", "origin", "HEAD:refs/heads/main"]);
      return run(work, ["rev-parse", "HEAD"]);
    },
  };
}
