import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { bundlesIn, cacheFolder } from "../../hack/control-plane/build.ts";
import { versions } from "../../hack/control-plane/recipe.ts";
import { parseConfig } from "../../src/config.ts";
import { chart } from "./helm.ts";

const root = resolve(import.meta.dirname, "../..");
const text = readFileSync(join(root, "Dockerfile"), "utf8");
/** Instructions with their continuations on one line, without comments. */
const lines = text.replace(/^\s*#.*\n/gm, "").replace(/\\\n\s*/g, " ").split("\n").filter((line) => line.trim() !== "");
const all = (instruction: string): string[] =>
  lines.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1).trim());
const argument = (name: string): string => all("ARG").find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";

const { devDependencies, engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<"devDependencies" | "engines", Record<string, string>>;

describe("the image is made of what is tested", () => {
  test("Node is the one that runs the tests", () => {
    expect(argument("NODE_IMAGE")).toBe(`node:${devDependencies["node"]}-bookworm-slim`);
    expect(Number.parseInt(devDependencies["node"] ?? "", 10)).toBeGreaterThanOrEqual(Number(/\d+/.exec(engines["node"] ?? "")?.[0]));
  });

  test("kustomize, helm and the Go that builds them are the control plane's", () => {
    expect([argument("KUSTOMIZE_VERSION"), argument("HELM_VERSION"), argument("GO_IMAGE")]).toEqual([
      versions.kustomize,
      versions.helm,
      `golang:${versions.go}-bookworm`,
    ]);
  });

  // Go writes the hash of the module into what it builds.
  test.for(["kustomize", "helm"] as const)("the checksum of %s is that of the binary which the tests run", (name, { skip }) => {
    const binary = join(bundlesIn(cacheFolder(process.env))[name].bin, name);
    const sum = argument(`${name.toUpperCase()}_SUM`);
    expect(sum).toMatch(/^h1:[A-Za-z0-9+/]{43}=$/);
    expect(text).toContain(`grep -F "\\"Sum\\": \\"\${${name.toUpperCase()}_SUM}\\""`);
    skip(!existsSync(binary) && process.env["CI"] === undefined, "npm run cluster -- --build-only builds it");
    expect(execFileSync("grep", ["-c", "-a", "-F", sum, binary]).toString().trim()).not.toBe("0");
  });
});

describe("the image is made with care", () => {
  test("every base has a version, and may be given by digest", () => {
    for (const base of all("FROM").map((line) => line.replace(/--platform=\S+ /, "").split(" ")[0])) expect(base).toMatch(/^\$\{(?:NODE|GO)_IMAGE\}$/);
    expect(text).not.toMatch(/:latest|\bADD\b|curl|wget|apt-get|sudo/);
  });

  test("the last stage runs as a number that is not root, without a shell", () => {
    expect(all("USER").at(-1)).toBe("65532:65532");
    const { ENTRYPOINT, CMD } = { ENTRYPOINT: all("ENTRYPOINT").at(-1), CMD: all("CMD").at(-1) };
    expect([ENTRYPOINT, CMD].map((line) => JSON.parse(line ?? "") as unknown)).toEqual([
      ["node", "--max-semi-space-size=4", "--heap-growing-percent=20", "/app/serin.mjs"],
      ["controller"],
    ]);
  });

  test("it writes only where the chart mounts a volume, and serves where the chart looks", () => {
    const deployment = readFileSync(join(chart, "templates/deployment.yaml"), "utf8");
    const mounted = [...deployment.matchAll(/mountPath: (\S+)/g)].map(([, path = ""]) => path);
    expect(all("ENV").join(" ")).toContain("HOME=/tmp SERIN_GIT_DIRECTORY=/var/cache/serin/git");
    expect(mounted).toEqual(["/var/cache/serin", "/tmp"]);
    expect(all("EXPOSE")).toEqual([String(parseConfig({}).port)]);
    expect(deployment).toContain(`containerPort: ${parseConfig({}).port}`);
  });

  test("everything that is copied from the context is there, and is let in", () => {
    const sources = all("COPY").filter((line) => !line.startsWith("--from")).flatMap((line) => line.split(" ").slice(0, -1));
    const ignored = readFileSync(join(root, ".dockerignore"), "utf8").split("\n");
    expect(sources.length).toBeGreaterThan(5);
    expect(sources.filter((source) => !existsSync(join(root, source)))).toEqual([]);
    expect(sources.filter((source) => !ignored.includes(`!${source}`))).toEqual([]);
    expect(ignored).toContain("*");
  });

  test("the chart's default image runs the chart's version", () => {
    const { appVersion } = parse(readFileSync(join(chart, "Chart.yaml"), "utf8")) as { appVersion: string };
    expect(text).toContain(`serin:${appVersion} .`);
  });
});
