import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { reasons } from "../src/analysis/verdict.ts";
import { crdOf } from "../src/api/crd.ts";
import { kinds } from "../src/api/kinds.ts";
import type { KubeObject } from "../src/api/object.ts";
import { teamFiles } from "../src/cli/demo/manifests.ts";
import { createKube, type KubeClient } from "../src/kube/client.ts";
import { serverAt } from "../src/kube/kubeconfig.ts";
import { startApiServer } from "../src/sandbox/api-server/api-server.ts";
import { gatewayCrds } from "../src/sandbox/gateway/crds.ts";
import { hasTool } from "./tools.ts";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "..");
const scripts = Object.keys((JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: object }).scripts);

/** A fenced block of a page. */
interface Block {
  readonly page: string;
  readonly language: string;
  readonly text: string;
}

const pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...markdownIn("docs")].map((page) => ({
  page,
  text: readFileSync(join(root, page), "utf8"),
}));
const blocks = pages.flatMap(({ page, text }) => blocksOf(page, text));
/**
 * Whose commands are followed line by line by npm run test:cluster, as they need helm, Git and a cluster of their own. What other
 * pages say word for word as these is tried there too.
 */
const followed = ["docs/install.md"];
const shell = blocks.filter(({ language }) => language === "sh");
const followedText = shell.filter(({ page }) => followed.includes(page)).map(({ text }) => text).join("");
const commands = shell
  .filter(({ page, text }) => !followed.includes(page) && !followedText.includes(text))
  .flatMap(({ page, text }) => text.split("\n").map((line) => ({ page, line: line.replace(/\s+#.*$/, "").trim() })))
  .filter(({ line }) => line !== "")
  .flatMap(({ page, line }) => line.split(" && ").map((command) => [page, command] as const));

function markdownIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name));
}

function blocksOf(page: string, text: string): Block[] {
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = "", body = ""]) => ({ page, language, text: body }));
}

/** With the kinds, a namespace and what the demo's teams keep in Git, so that every command of the docs finds what it asks for. */
describe("against an API server", () => {
  const life = new AbortController();
  let api: Awaited<ReturnType<typeof startApiServer>>;
  let kube: KubeClient;
  let dir = "";

  beforeAll(async () => {
    api = await startApiServer();
    kube = createKube(serverAt(api.url));
    dir = mkdtempSync(join(tmpdir(), "serin-test-docs-"));
    writeFileSync(join(dir, "kubeconfig"), api.kubeconfig());
    for (const crd of [...kinds.map(crdOf), ...gatewayCrds()]) await kube.apply(crd, { fieldManager: "test" }, life.signal);
    for (const name of ["shop", "serin-system"])
      await kube.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name } }, { fieldManager: "test" }, life.signal);
    for (const text of Object.values(teamFiles({ shop: "1", cart: "1" })))
      for (const object of objectsIn(text)) await kube.apply(object, { fieldManager: "test" }, life.signal);
  });

  afterAll(async () => {
    life.abort(new Error("the tests are over"));
    await kube.close();
    await api.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const examples = blocks
    .filter(({ language }) => language === "yaml")
    .flatMap(({ page, text }) => objectsIn(text).map((object) => [page, object.kind, object.metadata.name, object] as const));

  test("there are examples", () => {
    expect(examples.length).toBeGreaterThanOrEqual(4);
  });

  test.each(examples)("%s: the example %s %s is accepted, and no field of it is unknown", async (_page, _kind, _name, object) => {
    const { kind } = await kube.apply(object, { fieldManager: "docs", dryRun: true, strict: true }, life.signal);
    expect(kind).toBe(object.kind);
  });

  const inline = pages.flatMap(({ page, text }) =>
    [...text.matchAll(/`(kubectl (?:get|describe) [^`]+)`/g)].map(([, command = ""]) => [page, command] as const),
  );
  const lines = [...commands.filter(([, command]) => command.startsWith("kubectl ")), ...inline];

  test.skipIf(!hasTool("kubectl")).each(lines)("%s: %s", { timeout: 60_000 }, async (_, command) => {
    const [, ...args] = command.replace(/--kubeconfig \S+ /, "").replace(" -n shop", "").split(" ");
    await expect(run("kubectl", ["--kubeconfig", join(dir, "kubeconfig"), "-n", "shop", ...args], { cwd: root })).resolves.toBeDefined();
  });
});

function objectsIn(text: string): KubeObject[] {
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
}

describe("every command of the docs can be run", () => {
  test.each(commands)("%s: %s", async (_, command) => {
    const [program = "", ...args] = command.split(" ");
    if (program === "kubectl") return; // run above
    expect(program).toBe("npm");
    if (["ci", "test"].includes(args[0] ?? "")) return; // CI's own first steps
    const [, script = "", ...rest] = args;
    expect(args[0]).toBe("run");
    expect(scripts).toContain(script);
    const given = rest.filter((arg) => arg.startsWith("--") && arg !== "--");
    if (script !== "serin") return;
    const { stdout } = await run(process.execPath, ["src/main.ts", rest[1] ?? "", "--help"], { cwd: root });
    const known = [...(stdout.match(/--[a-z][a-z-]*/g) ?? []), "--help"];
    expect(given.filter((flag) => !known.includes(flag))).toEqual([]);
  });

  const lints = commands.filter(([, command]) => command.startsWith("npm run serin -- lint "));

  test.each(lints)("%s: %s, with the page's own examples, finds nothing wrong", async (page, command) => {
    const dir = mkdtempSync(join(tmpdir(), "serin-test-lint-"));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const [folder = "", ...flags] = command.split(" ").slice(5).toReversed();
    mkdirSync(join(dir, folder));
    const texts = blocks.filter((block) => block.page === page && block.language === "yaml").map(({ text }) => text);
    writeFileSync(join(dir, folder, "all.yaml"), texts.join("---\n"));
    const { stderr } = await run(process.execPath, [join(root, "src/main.ts"), "lint", ...flags.toReversed(), folder], { cwd: dir });
    expect(stderr).toMatch(/^no problems; [1-9]/);
  });

  test("serin lint stands where people write manifests", () => {
    expect(lints.length).toBeGreaterThanOrEqual(1);
  });

  test.each(followed)("%s is followed on a real cluster to its end", (page) => {
    const suites = readdirSync(join(root, "test/cluster"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".test.ts"));
    const texts = suites.map((name) => readFileSync(join(root, "test/cluster", name), "utf8"));
    expect(texts.some((text) => text.includes(`openPage("${page}"`) && text.includes("page.left()"))).toBe(true);
  });

  test("whoever installs names an image of their own, as none is published", () => {
    const installs = shell.flatMap(({ page, text }) => text.split("\n").filter((line) => line.startsWith("helm install")).map((line) => `${page}: ${line}`));
    expect(installs.length).toBeGreaterThanOrEqual(3);
    expect(installs.filter((line) => !line.includes(" --set image.repository="))).toEqual([]);
  });

  test("the scripts that the text names are there", () => {
    const named = pages.flatMap(({ text }) => [...text.matchAll(/npm run (\w+(?::\w+)*)/g)].map(([, script = ""]) => script));
    expect(named.filter((script) => !scripts.includes(script))).toEqual([]);
  });
});

test("every link between the docs leads somewhere", () => {
  const broken = pages.flatMap(({ page, text }) =>
    [...text.matchAll(/\]\((?!https?:|mailto:)([^)#\s]+)(#[^)]*)?\)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => !existsSync(resolve(root, dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  );
  expect(broken).toEqual([]);
});

test("the README's map names every folder of the source, and none that is gone", () => {
  const [, map = ""] = (pages[0]?.text ?? "").split("## The map");
  const rows = map.split("\n").filter((line) => line.startsWith("| `")).map((line) => line.split("|")[1] ?? "");
  const mapped = rows.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, path = ""]) => path));
  expect(mapped.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  const folders = readdirSync(join(root, "src"))
    .filter((name) => statSync(join(root, "src", name)).isDirectory())
    .map((name) => `src/${name}`);
  const unmapped = folders.filter((folder) => !mapped.includes(folder));
  // What says of itself that it is about nothing else needs no row.
  expect(unmapped.filter((folder) => folder !== "src/lib")).toEqual([]);
});

test("of every reason for which a release is taken back the docs say what to do", () => {
  const names = ["failure", "health", "pods", "decide", "undecided"];
  const code = names.map((name) => readFileSync(join(root, `src/canary/${name}.ts`), "utf8")).join("\n");
  const ends = [/(?:rollBack|stuck)", [^}]*?reason: "(\w+)"/g, /return \{ reason: "(\w+)"/g, /tooLong \? "([A-Z]\w+)"/g, /failed\("(\w+)"/g]
    .flatMap((end) => [...code.matchAll(end)])
    .map(([, reason = ""]) => reason);
  const told = readFileSync(join(root, "docs/how-it-works.md"), "utf8");
  const [, table = ""] = told.split("<!-- failures -->");
  const rows = table.trim().split("\n").slice(2).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  const ofShares = new Set<string>(reasons);
  const wanted = new Set([...ends.filter((reason) => !ofShares.has(reason)), "EvidenceAgainst"]);
  expect(rows.map(([reason = ""]) => reason.replaceAll("`", "")).toSorted()).toEqual([...wanted].toSorted());
  expect(rows.filter((cells) => cells.length !== 3 || cells.includes(""))).toEqual([]);
});
