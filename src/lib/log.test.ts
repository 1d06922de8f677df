import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { logLevels } from "./log.ts";

/** What a process writes that says one thing at every level. */
function said(level: string): { stdout: string; lines: Record<string, unknown>[] } {
  const script = `
    const { createLogger } = await import(${JSON.stringify(join(import.meta.dirname, "log.ts"))});
    const log = createLogger(${JSON.stringify(level)}).child({ controller: "syncs" });
    for (const name of ["debug", "info", "warn", "error"]) log[name]({ sync: "shop/apps", written: 2 }, "sync applied");
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  const lines = stderr.split("\n").filter((line) => line !== "");
  return { stdout, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test("a line is one JSON object with level, time, message and fields, on standard error", () => {
  const { stdout, lines } = said("info");
  expect(stdout).toBe("");
  expect(lines).toHaveLength(3);
  const { time, ...rest } = lines[0]!;
  expect(rest).toEqual({ level: "info", controller: "syncs", sync: "shop/apps", written: 2, msg: "sync applied" });
  expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test.each(logLevels.map((level, index) => [level, ["debug", "info", "warn", "error"].slice(index)] as const))(
  "at level %s is written %j",
  (level, want) => {
    expect(said(level).lines.map((line) => line["level"])).toEqual(want);
  },
);

const src = resolve(import.meta.dirname, "..");
/** Every call of a logger in the source, with its arguments as written. */
const calls = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
  .flatMap((file) =>
    [...readFileSync(join(src, file), "utf8").matchAll(/\blog\.(?:debug|info|warn|error)\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)/g)].map(
      ([, given = ""]) => [file, given.replaceAll(/\s+/g, " ").trim()] as const,
    ),
  );

test("the calls of loggers are found", () => {
  expect(calls.length).toBeGreaterThan(40);
});

test.each(calls)("%s: log(%s) has a constant message, and no field that holds a secret", (_, given) => {
  expect(given).toMatch(/, "[^"$]+",?$/);
  expect(given.slice(0, given.lastIndexOf(', "'))).not.toMatch(/token|password|secret|authorization|headers|body\b|privateKey/i);
});
