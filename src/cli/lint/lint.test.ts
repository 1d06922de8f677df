import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { describe, expect, onTestFinished, test } from "vitest";
import { durationPattern } from "../../lib/duration.ts";
import { teamFiles } from "../demo/manifests.ts";
import { lint, lintCommand, type LintResult } from "./lint.ts";
import { lineOfText } from "./problem.ts";
import { nearest } from "../suggest.ts";

const root = resolve(import.meta.dirname, "../../..");
const defaults = { provider: "gatewayapi:v1", metricsServer: "http://prometheus" } as const;

/** A folder with these files. */
function folder(files: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(tmpdir(), "serin-lint-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  return dir;
}

interface Run {
  readonly code: number;
  readonly output: string;
  readonly notes: string;
}

async function run(paths: readonly string[], { stdin = "", json = false } = {}): Promise<Run> {
  const said = { output: "", notes: "" };
  const code = await lintCommand({
    paths,
    json,
    defaults,
    namespace: "default",
    stdin: Readable.from(stdin === "" ? [] : [Buffer.from(stdin)]),
    output: { write: (text) => (said.output += text) },
    notes: { write: (text) => (said.notes += text) },
  });
  return { code, ...said };
}

/** What is said of one text. */
async function say(text: string, more: Partial<Parameters<typeof lint>[1]> = {}): Promise<string[]> {
  const { problems } = await lint([{ file: "a.yaml", text, found: false }], { defaults, namespace: "default", ...more });
  return problems.map(lineOfText);
}

const sync = (name: string, spec = "", namespace = "shop"): string => `apiVersion: serin.dev/v1beta1
kind: Sync
metadata: { name: ${name}, namespace: ${namespace} }
spec: { sourceRef: { name: apps }, interval: 1m, prune: true${spec === "" ? "" : `, ${spec}`} }
`;
const repository = (name: string, spec = ""): string => `apiVersion: serin.dev/v1beta1
kind: GitRepository
metadata: { name: ${name}, namespace: shop }
spec: { url: https://git.example/team/apps.git, interval: 1m${spec === "" ? "" : `, ${spec}`} }
`;
const canary = (name: string, more = ""): string => `apiVersion: serin.dev/v1beta1
kind: Canary
metadata: { name: ${name}, namespace: shop }
spec:
  targetRef: { kind: Deployment, name: ${name} }
  service: { port: 80, gatewayRefs: [{ name: public, namespace: gateway }] }
  analysis:
    stepWeight: 10
    metrics:
      - name: request-success-rate
${more}`;
const template = (name: string, query: string): string => `apiVersion: serin.dev/v1beta1
kind: MetricTemplate
metadata: { name: ${name}, namespace: shop }
spec:
  provider: { type: prometheus, address: http://prometheus }
  query: ${JSON.stringify(query)}
`;
const deployment = (name: string, label = "app"): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: shop }
spec:
  selector: { matchLabels: { ${label}: ${name} } }
  template: { metadata: { labels: { ${label}: ${name} } }, spec: { containers: [{ name: app, image: shop:1 }] } }
`;
const service = (name: string): string => `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: shop }
spec: { ports: [{ port: 80 }] }
`;
const all = (...texts: string[]): string => texts.join("---\n");
const metric = (name: string, fields: string): string => `      - name: ${name}\n        thresholdRange: { max: 1 }\n        ${fields}\n`;

describe("what is told, with its line", () => {
  test.each<[string, string, string[]]>([
    ["an unknown field, with the one that was meant", sync("a", "prun: true"), [
      "a.yaml:4: Sync shop/a spec.prun: field not declared in schema; did you mean prune?",
    ]],
    ["an unknown field that is near none", repository("a", "colour: red"), [
      "a.yaml:4: GitRepository shop/a spec.colour: field not declared in schema; there are url, ref, interval, timeout, secretRef, suspend, webhook, host, commit",
    ]],
    ["a field of an item", canary("a", metric("own", 'query: "1"\n        queri: "1"')), [
      "a.yaml:14: Canary shop/a spec.analysis.metrics[1].queri: field not declared in schema; did you mean query?",
    ]],
    ["a field beside spec", `${sync("a")}specs: {}\n`, [
      "a.yaml:5: Sync shop/a specs: field not declared in schema; did you mean spec?",
    ]],
    ["a duration in words", sync("a", "retryInterval: 1 minute"), [
      `a.yaml:4: Sync shop/a spec.retryInterval: Invalid value: "1 minute": spec.retryInterval in body should match '${durationPattern.source}'; did you mean 1m?`,
    ]],
    ["a missing field, at the object that lacks it", "apiVersion: serin.dev/v1beta1\nkind: Sync\nmetadata: { name: a }\nspec:\n  interval: 1m\n  prune: true\n", [
      "a.yaml:4: Sync default/a spec.sourceRef: Required value",
    ]],
    ["an unknown kind of ours", sync("a").replace("kind: Sync", "kind: Synk"), [
      "a.yaml:2: Synk shop/a kind: there is no kind Synk in serin.dev/v1beta1; did you mean Sync in serin.dev/v1beta1?",
    ]],
    ["an unknown version of ours", sync("a").replace("v1beta1", "v1"), [
      "a.yaml:1: Sync shop/a apiVersion: there is no kind Sync in serin.dev/v1; did you mean Sync in serin.dev/v1beta1?",
    ]],
    ["broken YAML", `${sync("a")}---\na: b: c\n`, ["a.yaml:6: Nested mappings are not allowed in compact mappings"]],
    ["a key twice", `${sync("a")}kind: Sync\n`, ['a.yaml:5: the key "kind" stands here again, first on line 2']],
    ["an object twice in one file", all(sync("a"), sync("a")), [
      "a.yaml:6: Sync shop/a metadata.name: is described twice, first on line 1; remove one of them",
    ]],
    ["a source that is not there beside one that is", all(repository("app"), sync("a")), [
      "a.yaml:9: Sync shop/a spec.sourceRef: GitRepository shop/apps does not exist; create it or change spec.sourceRef",
    ]],
    ["a circle of dependencies, on each that is part of it", all(sync("a", "dependsOn: [{ name: b }]"), sync("b", "dependsOn: [{ name: a }]")), [
      "a.yaml:4: Sync shop/a spec.dependsOn: spec.dependsOn goes in a circle: a → b → a; remove one of them",
      "a.yaml:9: Sync shop/b spec.dependsOn: spec.dependsOn goes in a circle: b → a → b; remove one of them",
    ]],
    ["a dependency that is not there beside others", all(sync("a", "dependsOn: [{ name: base }]"), sync("bass")), [
      "a.yaml:4: Sync shop/a spec.dependsOn: Sync shop/base, which spec.dependsOn names, does not exist",
    ]],
    ["a Git host without an address of its API", repository("a", "host: { kind: github }, secretRef: { name: s }"), [
      "a.yaml:4: GitRepository shop/a spec.host: spec.url is on git.example, not on github.com: set spec.host.apiURL, for GitHub Enterprise Server https://git.example/api/v3",
    ]],
    ["a Git host without credentials", repository("a", "host: { kind: gitea }"), [
      "a.yaml:4: GitRepository shop/a spec.host: GitRepository shop/a has no credentials for its host: set spec.host.secretRef",
    ]],
    ["a template that is not PromQL", template("a", 'sum(rate(x{app="{{ target }}"}[{{ interval }}])'), [
      'a.yaml:6: MetricTemplate shop/a spec.query: MetricTemplate shop/a: not PromQL at character 25: it ends too early; the query is sum(rate(x{app="x"}[1m])',
    ]],
    ["a query that is not PromQL", canary("a", metric("own", 'query: "up{ {{ name }}"')), [
      'a.yaml:11: Canary shop/a spec.analysis.metrics[1]: Canary shop/a, metric own: not PromQL at character 6: it ends too early; the query is up{ a',
    ]],
    ["a template that its variables break", all(template("t", "up{a='{{ variables.a }}'} {{ variables.op }}"), canary("a", metric("own", "templateRef: { name: t }\n        templateVariables: { a: x, op: '5' }"))), [
      'a.yaml:18: Canary shop/a spec.analysis.metrics[1]: MetricTemplate shop/t: not PromQL at character 11: unexpected "5"; the query is up{a=\'x\'} 5',
    ]],
    ["two Canaries of one target, on the one that gives way", all(canary("a"), canary("b").replace("Deployment, name: b", "Deployment, name: a")), [
      "a.yaml:16: Canary shop/b spec.targetRef: Canary shop/b: its target, Deployment a, is rolled out by Canary shop/a already; remove one of the two",
    ]],
    ["a Service that the Canary makes", all(canary("a"), service("a-canary")), [
      "a.yaml:14: Service shop/a-canary metadata.name: Service/shop/a-canary (a.yaml:12) is made by Canary/shop/a; remove it from the repository or give it another name",
    ]],
    ["a Deployment that the Canary makes", all(canary("a"), deployment("a"), deployment("a-primary")), [
      "a.yaml:3: Canary shop/a metadata.name: Deployment shop/a-primary exists and is not Canary shop/a's, which makes one of this name; rename it, or remove it from Git or the cluster",
    ]],
    ["a target that is not there beside other Deployments", all(canary("a"), deployment("b")), [
      "a.yaml:5: Canary shop/a spec.targetRef: Deployment shop/a: not found, though spec.targetRef of Canary shop/a names it",
    ]],
    ["a target whose pods cannot be told apart", all(canary("a"), deployment("a", "component")), [
      "a.yaml:5: Canary shop/a spec.targetRef: Deployment shop/a: spec.selector.matchLabels has none of app, name, app.kubernetes.io/name; one of them must tell the primary's pods from the canary's",
    ]],
  ])("%s", async (_, text, want) => {
    expect(await say(text)).toEqual(want);
  });

  test("nothing where nothing is wrong, nor of what may well be elsewhere", async () => {
    const text = all(repository("apps"), sync("a", "dependsOn: [{ name: base }]"), canary("a"), template("t", "up{app='{{ target }}'}"));
    const result = await lint([{ file: "a.yaml", text, found: false }], { defaults, namespace: "default" });
    expect(result).toEqual<LintResult>({
      problems: [],
      checked: 4,
      passedOver: 0,
      namesakes: [],
      unchecked: ["Deployment shop/a is not in the files", "Gateway gateway/public is not in the files", "Sync shop/base is not in the files"],
    });
  });

  test("documents that lack a kind or a version are no objects: values and charts lie beside manifests", async () => {
    const text = all("apiVersion: v2\nname: chart\n", "kind: Service\n", "replicas: 3\n", sync("a"));
    const result = await lint([{ file: "a.yaml", text, found: false }], { defaults, namespace: "default" });
    expect(result).toMatchObject({ problems: [], checked: 1, passedOver: 0 });
  });

  test("the Secret of a metric server is looked into where the files have it", async () => {
    const withAuth = template("t", "up").replace("http://prometheus }", "http://prometheus, secretRef: { name: prom } }");
    const secret = (data: string): string => `apiVersion: v1\nkind: Secret\nmetadata: { name: prom, namespace: shop }\nstringData: ${data}\n`;
    const files = [withAuth, canary("a", metric("own", "templateRef: { name: t }"))];
    expect(await say(all(...files, secret("{ token: abc }")))).toEqual([]);
    const text = all(...files, secret("{ password: hunter2 }"));
    const told = /^a\.yaml:\d+: Canary shop\/a .*: Secret shop\/prom: has neither token nor username and password/;
    expect(await say(text)).toEqual([expect.stringMatching(told)]);
    const { unchecked } = await lint([{ file: "a.yaml", text: all(...files), found: false }], { defaults, namespace: "default" });
    expect(unchecked).toContain("Secret shop/prom is not in the files");
  });

  test("without the controller's defaults, once for each Canary that needs them", async () => {
    expect(await say(canary("a"), { defaults: {} })).toEqual([
      "a.yaml:4: Canary shop/a spec.provider: Canary shop/a: spec.provider is not set and the controller has no default; set one of them",
      "a.yaml:10: Canary shop/a spec.analysis.metrics[0]: Canary shop/a: spec.metricsServer is not set and the controller has no default; set one of them, or give metric request-success-rate a templateRef",
    ]);
  });

  test("a Canary that names no metrics needs a Prometheus all the same, and fields that contradict each other are refused", async () => {
    const byShare = (analysis: string): string => canary("a").replace(/ {2}analysis:[^]*/, `  analysis: ${analysis}\n`);
    expect(await say(byShare("{}"))).toEqual([]);
    const [missing, ...others] = await say(byShare("{}"), { defaults: { provider: "gatewayapi:v1" } });
    expect(missing).toMatch(/^a\.yaml:4: Canary shop\/a spec\.metricsServer: .*; set one of them: the requests of both versions/);
    expect(others).toEqual([]);
    const counted = byShare("{ stepWeight: 10, minRequests: 50, metrics: [{ name: own, templateRef: { name: t }, thresholdRange: { max: 1 } }] }");
    const [uncounted] = await say(all(counted, template("t", "up{app='{{ target }}'}")), { defaults: { provider: "gatewayapi:v1" } });
    expect(uncounted).toMatch(/^a\.yaml:4: Canary shop\/a spec\.metricsServer: .*; set one of them: the requests of both versions/);
    for (const [analysis, message] of [
      ["{ steps: adaptive, stepWeight: 10 }", "steps: adaptive finds the weights itself"],
      ["{ steps: adaptive, metrics: [{ name: request-duration }] }", "steps: adaptive needs method: share"],
      ["{ method: threshold, stepWeight: 10 }", "method: threshold needs metrics"],
      ["{ iterations: 3 }", "iterations need method: threshold"],
      ["{ method: share, minDuration: 1h, maxDuration: 1m }", "minDuration must not be longer than maxDuration"],
      ["{ metrics: [{ name: request-duration }] }", "set exactly one of iterations, stepWeight and stepWeights"],
    ] as const)
      expect([analysis, (await say(byShare(analysis))).join("\n")]).toEqual([analysis, expect.stringContaining(message)]);
  });

  test.each<[string, string, string]>([
    ["a duration in words", "{ warmup: 1 minute }", "warmup in body should match '^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$'; did you mean 1m?"],
    ["a duration in days", "{ minDuration: 2d }", "; did you mean 48h?"],
    ["a duration in milliseconds", "{ noDataTimeout: 1500 millis }", "; did you mean 1500ms?"],
    ["a duration without a unit", "{ interval: 30 }", "spec.analysis.interval in body must be of type string: \"integer\"; did you mean 30s?"],
    ["a duration in a list", "{ stepWeight: 10, metrics: [{ name: request-duration, interval: 2 minutes }] }", "; did you mean 2m?"],
    ["no duration at all", "{ warmup: short }", "; write it like 30s, 1m30s or 1h"],
    ["a fraction for percent", "{ slo: 0.999 }", "should be greater than or equal to 50; it is in percent: did you mean 99.9?"],
    ["a fraction for percent that is whole", "{ stepWeight: 0.1, slo: 99 }", "; it is in percent: did you mean 10?"],
    ["fixed steps that are none", "{ steps: fixed }", "a.yaml:7: Canary shop/a spec.analysis.steps: Invalid value: steps: fixed needs stepWeight, stepWeights or iterations"],
    ["a duration that is one, but too short", "{ interval: 500ms }", "interval must be at least 1s"],
  ])("%s is told with what was meant", async (_, analysis, message) => {
    const [said, ...others] = await say(canary("a").replace(/ {2}analysis:[^]*/, `  analysis: ${analysis}\n`));
    expect([said, others]).toEqual([expect.stringContaining(message), []]);
    expect(said).not.toMatch(/at least 1s.*;/);
  });

  test.each<[string, string, RegExp]>([
    ["would be too small all the same", "{ slo: 0.001 }", /; it is in percent$/],
    ["would be no whole number", "{ stepWeight: 0.125, slo: 99 }", /; it is in percent$/],
    ["is no fraction", "{ slo: 0 }", /equal to 50$/],
  ])("of percent nothing is guessed that %s", async (_, analysis, message) => {
    const said = await say(canary("a").replace(/ {2}analysis:[^]*/, `  analysis: ${analysis}\n`));
    expect(said).toEqual([expect.stringMatching(message)]);
  });

  test("objects that name no namespace are in the one that was given, and items of a List are looked at", async () => {
    const spec = { prune: true, sourceRef: { name: "x" } };
    const sync = { apiVersion: "serin.dev/v1beta1", kind: "Sync", metadata: { name: "a" }, spec };
    const list = { apiVersion: "v1", kind: "List", items: [sync] };
    const [first] = await say(JSON.stringify(list, undefined, 2), { namespace: "prod" });
    expect(first).toBe("a.yaml:11: Sync prod/a spec.interval: Required value");
  });

  test("the same object in two folders is no mistake, and each is looked at by itself", async () => {
    const texts = [
      { file: "prod/a.yaml", text: canary("a"), found: true },
      { file: "test/a.yaml", text: canary("a", metric("own", 'query: "up("')), found: true },
    ];
    const { problems } = await lint(texts, { defaults, namespace: "default" });
    expect(problems.map(lineOfText)).toEqual([expect.stringMatching(/^test\/a\.yaml:11: Canary shop\/a .*not PromQL/)]);
  });
});

describe("the command", () => {
  test("reads files, all manifests below folders, and standard input; other kinds are passed over", async () => {
    const dir = folder({
      "b/canary.yml": canary("a"),
      "b/deployment.yaml": deployment("a"),
      "b/notes.txt": "kind: Canary",
      ".git/x.yaml": "a: b: c",
      "node_modules/x.yaml": "a: b: c",
      "values.yaml": "a: 1\n",
      "one.yaml": sync("a", "prun: true"),
    });
    expect(await run([join(dir, "b")])).toEqual({
      code: 0,
      output: "",
      notes: "no problems; 1 object checked, 1 object of other kinds passed over; not checked, as it is not in these files: Gateway gateway/public\n",
    });
    const { code, output, notes } = await run([join(dir, "b"), join(dir, "one.yaml"), "-"], { stdin: sync("b", "prun: true") });
    expect(code).toBe(1);
    expect(output.split("\n").map((line) => line.replace(`${dir}/`, ""))).toEqual([
      "one.yaml:4: Sync shop/a spec.prun: field not declared in schema; did you mean prune?",
      "<stdin>:4: Sync shop/b spec.prun: field not declared in schema; did you mean prune?",
      "",
    ]);
    expect(notes).toMatch(/^2 problems in 2 files; 3 objects checked, 1 object of other kinds passed over/);
  });

  test.each<[string, string, string]>([
    ["kinds of other projects with names of ours", "", "no problems; 0 objects checked, 3 objects of other kinds passed over\nNot ours: Canary of flagger.app/v1beta1, GitRepository of source.toolkit.fluxcd.io/v1; Serin's have apiVersion serin.dev/v1beta1.\n"],
    ["the same beside ours", `---\n${canary("a")}`, "no problems; 1 object checked, 3 objects of other kinds passed over; not checked,"],
  ])("%s are passed over, and named where nothing was checked", async (_, more, want) => {
    const theirs = canary("b").replace("serin.dev/v1beta1", "flagger.app/v1beta1");
    const source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: { name: apps }\n";
    const dir = folder({ "a.yaml": `${[theirs, source, deployment("a")].join("---\n")}${more}` });
    const { code, notes } = await run([dir]);
    expect([code, notes.slice(0, want.length)]).toEqual([0, want]);
    expect(notes.includes("apiVersion")).toBe(more === "");
  });

  test("in folders, templates of charts and patches of kustomizations are no manifests; what speaks of us must be readable", async () => {
    const dir = folder({
      "chart/templates/deployment.yaml": "{{- if .Values.x }}\nkind: {{ .Values.kind }}\n{{- end }}\n",
      "overlay/kustomization.yaml": "resources: [../base]\npatches: [{ path: patch.yaml }]\n",
      "overlay/patch.yaml": "apiVersion: serin.dev/v1beta1\nkind: Canary\nmetadata: { name: a }\nspec: { suspend: true }\n",
      "base/canary.yaml": canary("a"),
    });
    expect(await run([dir])).toMatchObject({ code: 0, output: "" });
    writeFileSync(join(dir, "broken.yaml"), "apiVersion: serin.dev/v1beta1\na: b: c\n");
    expect(await run([dir])).toMatchObject({ code: 1, output: `${dir}/broken.yaml:2: Nested mappings are not allowed in compact mappings\n` });
    expect(await run([join(dir, "overlay/patch.yaml")])).toMatchObject({ code: 1 });
    expect(await run([join(dir, "chart/templates/deployment.yaml")])).toMatchObject({ code: 1 });
  });

  test("a link to a folder is as good as the folder", async () => {
    const dir = folder({ "b/a.yaml": sync("a") });
    symlinkSync(join(dir, "b"), join(dir, "link"));
    expect(await run([join(dir, "link")])).toMatchObject({ code: 0, notes: expect.stringContaining("1 object checked") as string });
  });

  test("gives JSON to programs", async () => {
    const dir = folder({ "a.yaml": sync("a", "prun: true") });
    const { code, output, notes } = await run([dir], { json: true });
    const field = { file: join(dir, "a.yaml"), line: 4, kind: "Sync", namespace: "shop", name: "a", field: "spec.prun" };
    expect(JSON.parse(output)).toEqual({
      problems: [{ ...field, message: "field not declared in schema; did you mean prune?" }],
      checked: 1,
      passedOver: 0,
      namesakes: [],
      unchecked: ["GitRepository shop/apps is not in the files"],
    });
    expect([code, notes]).toEqual([1, ""]);
  });

  test.each<[string, string[], RegExp]>([
    ["no file", [], /name files or folders/],
    ["a file that is not there", ["/nonexistent/a.yaml"], /^serin: there is no file \/nonexistent\/a\.yaml; name files, folders, or - for standard input\n/],
    ["a file below a file", ["package.json/a.yaml"], /^serin: package\.json\/a\.yaml is below a file, not a folder; name files/],
  ])("%s is misuse", async (_, paths, says) => {
    const { code, notes } = await run(paths);
    expect([code, notes]).toEqual([2, expect.stringMatching(says)]);
  });

  test("a file of more than a mebibyte is misuse when it is named, and passed over when it is found", async () => {
    const dir = folder({ "a.yaml": `# ${"x".repeat(1024 * 1024)}\n` });
    expect(await run([join(dir, "a.yaml")])).toMatchObject({ code: 2 });
    expect(await run([dir])).toMatchObject({ code: 0 });
  });
});

describe("serin lint, as it is called", () => {
  const serin = (args: string[], input = "") =>
    spawnSync(process.execPath, ["src/main.ts", ...args], { cwd: root, encoding: "utf8", input });

  test("exits with what a script expects, and takes defaults from flags and the environment", () => {
    const good = serin(["lint", "--mesh-provider", "gatewayapi:v1", "--metrics-server", "http://prometheus", "-"], canary("a"));
    expect([good.status, good.stdout]).toEqual([0, ""]);
    const bad = serin(["lint", "-n", "prod", "-o", "json", "-"], canary("a").replace(", namespace: shop", ""));
    expect(bad.status).toBe(1);
    const problems = [{ namespace: "prod", reason: "ProviderMissing" }, { reason: "MetricsServerMissing" }];
    expect(JSON.parse(bad.stdout)).toMatchObject({ problems });
    for (const args of [["lint", "-o", "yaml", "-"], ["lint", "--colour", "-"], ["lint"], ["controller", "extra"]]) {
      const misused = serin(args);
      expect([args, misused.status, misused.stderr]).toEqual([args, 2, expect.stringMatching(/--help says what there is/)]);
    }
  });
});

describe("what we give to users", () => {
  test("the demo's manifests have no problems", async () => {
    const texts = Object.entries(teamFiles({ shop: "1", cart: "1" })).map(([file, text]) => ({ file, text, found: false }));
    expect(await lint(texts, { defaults, namespace: "shop" })).toMatchObject({ problems: [] });
  });

  const pages = ["README.md", ...readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md")).map((name) => join("docs", name))];
  test.each(pages)("nor have the examples of %s", async (page) => {
    const blocks = [...readFileSync(join(root, page), "utf8").matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = ""]) => text);
    const texts = blocks.map((text, index) => ({ file: `${page}#${index}`, text, found: false }));
    expect((await lint(texts, { defaults, namespace: "default" })).problems.map(lineOfText)).toEqual([]);
  });
});

test.each<[string, string[], string | undefined]>([
  ["intervall", ["interval", "iterations"], "interval"],
  ["stepweight", ["stepWeight", "stepWeights"], "stepWeight"],
  ["maxWieght", ["maxWeight"], "maxWeight"],
  ["tpye", ["type"], "type"],
  ["epyt", ["type"], undefined],
  ["colour", ["url", "ref"], undefined],
  ["x", ["y", "zz"], "y"],
])("near %s of %j is %s", (word, candidates, want) => {
  expect(nearest(word, candidates)).toBe(want);
});
