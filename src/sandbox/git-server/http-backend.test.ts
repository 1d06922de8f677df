import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { startGitHttp } from "./http-backend.ts";

const run = promisify(execFile);

async function aServer(options: { auth?: { username: string; password: string } } = {}) {
  const root = mkdtempSync(join(tmpdir(), "serin-git-http-"));
  await run("git", ["init", "-q", "--bare", "-b", "main", join(root, "team/app.git")]);
  const pushed: string[] = [];
  const server = await startGitHttp({ dir: root, ...options, onPush: (repository) => void pushed.push(repository) });
  onTestFinished(async () => {
    await server.close();
    rmSync(root, { recursive: true, force: true });
  });
  return { root, server, pushed };
}

test("git itself can push to it and clone from it, and a push is announced", async () => {
  const { root, server, pushed } = await aServer();
  const work = join(root, "work");
  await run("git", ["init", "-q", "-b", "main", work]);
  writeFileSync(join(work, "a.yaml"), "a: 1\n");
  await run("git", ["-C", work, "add", "."]);
  await run("git", ["-C", work, "-c", "user.name=a", "-c", "user.email=a@x", "commit", "-q", "-m", "one"]);
  await run("git", ["-C", work, "push", "-q", `${server.url}/team/app.git`, "main"]);
  await run("git", ["clone", "-q", "--depth", "1", `${server.url}/team/app.git`, join(root, "clone")]);
  const { stdout } = await run("git", ["-C", join(root, "clone"), "log", "--format=%s"]);
  expect(stdout).toBe("one\n");
  expect(pushed).toEqual(["team/app.git"]);
});

test("a wrong password is refused with 401, a missing repository with 404, other paths are not Git's", async () => {
  const { server } = await aServer({ auth: { username: "bot", password: "right" } });
  const status = async (path: string, password: string) => {
    const authorization = `Basic ${Buffer.from(`bot:${password}`).toString("base64")}`;
    return (await fetch(`${server.url}${path}`, { headers: { authorization } })).status;
  };
  expect(await status("/team/app.git/info/refs?service=git-upload-pack", "wrong")).toBe(401);
  expect(await status("/team/app.git/info/refs?service=git-upload-pack", "right")).toBe(200);
  expect(await status("/team/gone.git/info/refs?service=git-upload-pack", "right")).toBe(404);
  expect(await status("/team/app", "right")).toBe(404);
});
