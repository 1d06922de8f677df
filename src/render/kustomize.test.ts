import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sourceTree } from "../../test/fakes/source-tree.ts";
import { hasTool } from "../../test/tools.ts";
import type { RenderedObject } from "./renderer.ts";
import { createRenderers, rendererFor } from "./renderers.ts";

const signal = new AbortController().signal;
const hasKustomize = hasTool("kustomize");
const searchPath = process.env["PATH"] ?? "";
const render = async (files: Record<string, string>, path: string, options = { searchPath }): Promise<RenderedObject[]> => {
  const tree = sourceTree(files);
  return (await rendererFor(createRenderers(options), tree, path, signal)).render(tree, path, signal);
};
const inputs = async (files: Record<string, string>, path: string): Promise<string> => {
  const tree = sourceTree(files);
  return (await rendererFor(createRenderers({ searchPath }), tree, path, signal)).inputs(tree, path, signal);
};

const repository = {
  "base/kustomization.yaml": "resources: [app.yaml]\n",
  "base/app.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec: {replicas: 0123, paused: yes}\n",
  "prod/kustomization.yaml": "namespace: prod\nresources: [../base]\nconfigMapGenerator: [{name: c, files: [key=x.txt], options: {disableNameSuffixHash: true}}]\n",
  "prod/x.txt": "hello",
  "other/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n",
};

test.skipIf(!hasKustomize)("builds a folder with its base elsewhere in the repository", async () => {
  const objects = await render(repository, "prod");
  expect(objects.map(({ object, origin }) => [object.kind, object.metadata.namespace, object.metadata.name, origin])).toEqual([
    ["ConfigMap", "prod", "c", { file: "prod" }],
    ["Deployment", "prod", "app", { file: "prod" }],
  ]);
  expect(objects[0]?.object["data"]).toEqual({ key: "hello" });
});

test.skipIf(!hasKustomize)("leaves nothing behind", async () => {
  const left = () => readdirSync(tmpdir()).filter((name) => name.startsWith("serin-kustomize-"));
  const before = left();
  await render(repository, "prod");
  await expect(render({ "a/kustomization.yaml": "nope: 1\n" }, "a")).rejects.toThrow();
  expect(left().filter((name) => !before.includes(name))).toEqual([]);
});

test.skipIf(!hasKustomize)("a file outside the folder but in the repository may be used", async () => {
  const files = { ...repository, "prod/kustomization.yaml": "resources: [../base, ../other/x.yaml]\n" };
  expect((await render(files, "prod")).map(({ object }) => object.metadata.name).sort()).toEqual(["app", "other"]);
});

test.skipIf(!hasKustomize)("a folder without its own kustomization renders those below it and the plain files", async () => {
  const objects = await render(Object.fromEntries(Object.entries(repository).map(([path, text]) => [`all/${path}`, text])), "all");
  expect(objects.map(({ object, origin }) => `${object.metadata.name} ${origin.file}`).sort()).toEqual([
    "app all/base",
    "app all/prod",
    "c all/prod",
    "other all/other/x.yaml",
  ]);
});

test("the inputs are what the build reads, wherever it stands", async () => {
  const before = await inputs(repository, "prod");
  expect(await inputs({ ...repository, "other/x.yaml": "# new" }, "prod")).toBe(before);
  expect(await inputs({ ...repository, "base/app.yaml": `${repository["base/app.yaml"]}# new` }, "prod")).not.toBe(before);
  expect(await inputs({ ...repository, "prod/x.txt": "new" }, "prod")).not.toBe(before);
});

describe("is refused with the repository's own paths", () => {
  test.each<[string, string, string, RegExp]>([
    ["a base on the network", "resources: [github.com/x/y//base?ref=v1]", "RemoteBase", /^a\/kustomization\.yaml: resources\[0\]: "github\.com.*" is on the network/],
    ["a resource by https", "resources: ['https://example.com/x.yaml']", "RemoteBase", /is on the network/],
    ["what is missing", "resources: [x.yaml]", "BuildFailed", /^a\/kustomization\.yaml: resources\[0\]: "x\.yaml" does not exist in the repository$/],
    ["an absolute path", "configMapGenerator: [{name: x, files: [/etc/passwd]}]", "BuildFailed", /configMapGenerator\[0\]\.files\[0\]: "\/etc\/passwd" leads out of the repository$/],
    ["a way out", "resources: [../../x.yaml]", "BuildFailed", /leads out of the repository$/],
    ["a base without a kustomization", "resources: [../b]", "BuildFailed", /^b is used as a base but has no kustomization\.yaml$/],
    ["a Git LFS pointer", "resources: [l.yaml]", "BuildFailed", /^a\/l\.yaml is a Git LFS pointer; commit the file itself$/],
    ["a Helm chart", "helmCharts: [{name: x}]", "BuildFailed", /^a\/kustomization\.yaml: helmCharts needs the network/],
    ["broken YAML", "a: b: c", "BuildFailed", /^a\/kustomization\.yaml:1: /],
    ["files outside together with plugins", "resources: [../b/x.yaml]\ngenerators: [g.yaml]", "BuildFailed", /^b\/x\.yaml is outside its folder, which is not allowed together/],
  ])("%s", async (_, kustomization, reason, message) => {
    const files = {
      "a/kustomization.yaml": `${kustomization}\n`,
      "a/g.yaml": "kind: X",
      "a/l.yaml": "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n",
      "b/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n",
    };
    await expect(render(files, "a")).rejects.toMatchObject({ name: "StalledError", reason, message: expect.stringMatching(message) });
  });

  test.skipIf(!hasKustomize)("an unknown field", async () => {
    await expect(render({ "a/kustomization.yaml": "resorces: [x]\n" }, "a")).rejects.toThrow(/^kustomize build of a: .*resorces/);
  });

  test.skipIf(!hasKustomize)("a broken resource, without a word of the private directory", async () => {
    const error = await render({ "a/kustomization.yaml": "resources: [x.yaml]\n", "a/x.yaml": "kind: Deployment\n" }, "a").catch(
      (thrown: Error) => thrown,
    );
    expect((error as Error).message).toMatch(/^kustomize build of a: .*x\.yaml/);
    expect((error as Error).message).not.toContain("serin-kustomize");
  });

  test("a machine without kustomize", async () => {
    await expect(render(repository, "prod", { searchPath: "/nonexistent" })).rejects.toMatchObject({ reason: "KustomizeNotFound" });
  });
});

test("runs with an empty environment, bounded in time and output", async () => {
  const bin = mkdtempSync(join(tmpdir(), "serin-test-bin-"));
  const fake = (script: string) => writeFileSync(join(bin, "kustomize"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const build = (limits: object) => render(repository, "prod", { searchPath: bin, ...limits });
  process.env["SECRET_OF_OURS"] = "s3cret";
  fake('echo "{apiVersion: v1, kind: X, metadata: {name: x}, env: \'$(/usr/bin/env | /usr/bin/tr "\\n" " ")\'}"');
  const [printed] = await build({});
  expect(printed?.object["env"]).toContain("HTTPS_PROXY=http://127.0.0.1:9");
  expect(printed?.object["env"]).not.toContain("s3cret");
  fake("exec /bin/sleep 60");
  await expect(build({ timeoutMs: 100 })).rejects.toThrow("took longer than 0.1s");
  fake("/usr/bin/yes");
  await expect(build({ maxOutputBytes: 100_000 })).rejects.toThrow("wrote more than it may");
});
