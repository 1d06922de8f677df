import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";

const main = resolve(import.meta.dirname, "../../hack/control-plane/main.ts");
const dir = mkdtempSync(join(tmpdir(), "serin-tools-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** On a machine that has nothing but Node. */
function onBareMachine(...args: string[]): { status: number | null; stderr: string } {
  const env = { PATH: join(dir, "bin"), HOME: dir, XDG_CACHE_HOME: join(dir, "cache") };
  return spawnSync(process.execPath, [main, ...args], { env, encoding: "utf8", timeout: 30_000 });
}

test.skipIf(process.platform !== "linux")("every missing tool is named with the command that brings it, before anything is built", () => {
  const { status, stderr } = onBareMachine();
  expect(status).toBe(1);
  const lines = stderr.split("\n").map((line) => line.trim().replace(/ is missing or does not work \(.*\)/, ""));
  expect(lines).toContain("prometheus. Get it: apt-get install --no-install-recommends prometheus");
  expect(lines).toContain("Python with pip. Get it: apt-get install python3-pip");
  expect(lines).toContainEqual(expect.stringMatching(/^Go 1\.\d+\.\d+ or newer\. Get it: apt-get install golang-go, or https:\/\/go\.dev\/dl$/));
  expect(lines).toContain("a C compiler. Get it: apt-get install gcc libc6-dev");
  expect(lines).toContain("ip. Get it: apt-get install iproute2");
  expect(readdirSync(dir)).toEqual([]);
});

test.skipIf(process.platform !== "linux")("who only builds needs nothing that only runs", () => {
  expect(onBareMachine("--build-only").stderr).not.toContain("prometheus");
});
