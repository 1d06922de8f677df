import { describe, expect, test } from "vitest";
import { sourceTree } from "../../test/fakes/source-tree.ts";
import { describeRef, refOf } from "../api/object.ts";
import { refuseDuplicates } from "./duplicates.ts";
import { placeOf } from "./manifest.ts";
import { repositoryPath } from "./path.ts";
import { plainRenderer } from "./plain.ts";
import type { Renderer } from "./renderer.ts";

const config = (name: string, data = "a: b") => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  ${data}\n`;
const nested: Renderer = {
  matches: () => true,
  inputs: async (tree, path, signal) => `nested ${path} ${(await tree.objectAt(path, signal))?.oid}`,
  render: async (_, path) => [{ object: { apiVersion: "v1", kind: "Nested", metadata: { name: path } }, origin: { file: path } }],
};
const plain = plainRenderer(nested);
const signal = new AbortController().signal;
const render = async (files: Record<string, string | Uint8Array>, path = "app") =>
  (await plain.render(sourceTree(files), path, signal)).map(({ object, origin }) => `${describeRef(refOf(object))} ${placeOf(origin)}`);

test.each<[string, Record<string, string>, string[]]>([
  ["reads yaml, yml and json, folders below included", { "app/a.yaml": config("a"), "app/x/b.yml": config("b"), "app/c.json": '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"c"}}' },
    ["ConfigMap/a app/a.yaml:1", "Secret/c app/c.json:1", "ConfigMap/b app/x/b.yml:1"]],
  ["leaves other files and hidden ones alone", { "app/a.yaml": config("a"), "app/README.md": "# x", "app/.github/ci.yaml": "on: push", "app/.x.yaml": "a: 1", "other/b.yaml": config("b") }, ["ConfigMap/a app/a.yaml:1"]],
  ["counts lines from the start of the file", { "app/a.yaml": `# top\n---\n${config("a")}---\n\n${config("b")}` }, ["ConfigMap/a app/a.yaml:3", "ConfigMap/b app/a.yaml:11"]],
  ["takes lists apart, lists in lists too", { "app/a.yaml": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A, metadata: {name: a}}\n- apiVersion: v1\n  kind: BList\n  items:\n  - {apiVersion: v1, kind: B, metadata: {name: b}}\n" },
    ["A/a app/a.yaml:1", "B/b app/a.yaml:1"]],
  ["a folder with only comments has no objects", { "app/a.yaml": "# nothing\n---\n# here\n" }, []],
  ["hands a folder with a kustomization to kustomize as a whole", { "app/a.yaml": config("a"), "app/k/kustomization.yaml": "resources: [x]", "app/k/x/kustomization.yaml": "{}", "app/k/patch.yaml": "spec: {}" },
    ["ConfigMap/a app/a.yaml:1", "Nested/app/k app/k"]],
])("%s", async (_, files, want) => {
  expect(await render(files)).toEqual(want);
});

describe("bad input is refused, naming the file and the line", () => {
  test.each<[string, Record<string, string | Uint8Array>, RegExp]>([
    ["broken YAML in the tenth document", { "app/a.yaml": `${`${config("a")}---\n`.repeat(9)}a: b: c\n` }, /^app\/a\.yaml:64: /],
    ["the same key twice", { "app/a.yaml": `${config("a")}  a: c\n` }, /^app\/a\.yaml:7: the key "a" stands here again, first on line 6$/],
    ["merge conflict", { "app/a.yaml": `<<<<<<< HEAD\n${config("a")}=======\n>>>>>>> b\n` }, /^app\/a\.yaml:1: merge conflict marker/],
    ["a list", { "app/a.yaml": `${config("a")}---\n- 1\n` }, /^app\/a\.yaml:8: is not a Kubernetes object but a list$/],
    ["values of a chart", { "app/values.yaml": "replicas: 1\n" }, /^app\/values\.yaml:1: is not a Kubernetes object: it has no apiVersion$/],
    ["no kind", { "app/a.yaml": "apiVersion: v1\n" }, /^app\/a\.yaml:1: is not a Kubernetes object: it has no kind$/],
    ["no name", { "app/a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {generateName: x-}\n" }, /^app\/a\.yaml:1: Pod has no metadata\.name; generateName would/],
    ["a label that is no text", { "app/a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: x, labels: {on: yes}}\n" }, /metadata\.labels\.true is true, not a text; put it in quotes$/],
    ["a namespace that is no text", { "app/a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: n}\n" }, /^app\/a\.yaml:1: Pod: metadata\.namespace is false, not a text; put it in quotes$/],
    ["a Git LFS pointer", { "app/a.yaml": "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n" }, /^app\/a\.yaml is a Git LFS pointer, not a manifest/],
    ["ten megabytes", { "app/a.yaml": new Uint8Array(10 * 1024 * 1024).fill(0x23) }, /^app\/a\.yaml has 10\.0 MiB, more than the 1 MiB/],
  ])("%s", async (_, files, message) => {
    await expect(render(files)).rejects.toMatchObject({
      name: "StalledError",
      reason: "BuildFailed",
      message: expect.stringMatching(message),
    });
  });

  test("a folder that is not there, or is a file", async () => {
    await expect(render({ "x.yaml": "" }, "app")).rejects.toMatchObject({ reason: "ArtifactFailed", message: "spec.path: app does not exist in the repository" });
    await expect(render({ "x.yaml": "" }, "x.yaml")).rejects.toMatchObject({ reason: "ArtifactFailed", message: "spec.path: x.yaml is a file, not a folder" });
  });

  test("the same object twice names both places, whatever the version", async () => {
    const objects = await plain.render(sourceTree({
      "app/a.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: ns}\n",
      "app/b.yaml": "# x\napiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: a, namespace: ns}\n",
    }), "app", signal);
    expect(() => refuseDuplicates(objects)).toThrow("Deployment/ns/a is described twice: in app/a.yaml:1 and in app/b.yaml:2");
  });
});

test("the inputs change with a file of the folder and with what its kustomized folders use, not with others", async () => {
  const files = { "app/a.yaml": config("a"), "app/k/kustomization.yaml": "{}", "other/b.yaml": config("b") };
  const inputs = (changed: Record<string, string>) => plain.inputs(sourceTree({ ...files, ...changed }), "app", signal);
  expect(await inputs({ "other/b.yaml": "" })).toBe(await inputs({}));
  expect(await inputs({ "app/a.yaml": config("a", "x: y") })).not.toBe(await inputs({}));
});

test.each([
  ["./", ""],
  ["", ""],
  [".", ""],
  ["/", ""],
  ["./apps/", "apps"],
  ["apps//x/../y", "apps/y"],
])("the path %s is the folder %j", (written, want) => {
  expect(repositoryPath(written)).toBe(want);
});

test("a path out of the repository is refused", () => {
  expect(() => repositoryPath("../x")).toThrow('spec.path "../x" leads out of the repository');
});
