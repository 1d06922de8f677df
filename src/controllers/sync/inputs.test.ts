import { expect, test } from "vitest";
import { sourceTree } from "../../../test/fakes/source-tree.ts";
import { createRenderers } from "../../render/renderers.ts";
import type { SourceTree } from "../../render/renderer.ts";
import { createKnownInputs, recorded } from "./inputs.ts";

const url = "https://git.example/app.git";
const { signal } = new AbortController();
const files = {
  "a/one.yaml": "a: 1",
  "b/kustomization.yaml": "resources: [../base]",
  "base/kustomization.yaml": "resources: [config.yaml]",
  "base/config.yaml": "c: 1",
  "README.md": "1",
};
const [kustomize, plain] = createRenderers({ searchPath: "" });

/** Digests of these folders, remembered. */
async function knownOf(tree: SourceTree, folders: readonly ("a" | "b")[]) {
  const known = createKnownInputs();
  for (const folder of folders) {
    const watched = recorded(tree);
    const digest = (await (folder === "b" ? kustomize : plain)?.inputs(watched.tree, folder, signal)) ?? "";
    const reads = await watched.reads(signal);
    if (reads) known.remember(url, folder, { digest, reads });
  }
  return known;
}

async function unchanged(changed: Record<string, string>): Promise<string[]> {
  const known = await knownOf(sourceTree(files), ["a", "b"]);
  const now = sourceTree({ ...files, ...changed });
  const ids = (paths: readonly string[]) => Promise.all(paths.map(async (path) => (await now.objectAt(path, signal))?.oid));
  return [...(await known.unchanged(url, ids)).keys()];
}

test.each<[string, Record<string, string>, string[]]>([
  ["a commit outside both folders changes neither", { "README.md": "2" }, ["a", "b"]],
  ["a file of a folder changes that folder", { "a/one.yaml": "a: 2" }, ["b"]],
  ["a new file changes its folder", { "a/two.yaml": "a: 2" }, ["b"]],
  ["a base outside the folder changes whoever is built on it", { "base/config.yaml": "c: 2" }, ["a"]],
])("%s", async (_, changed, same) => {
  expect(await unchanged(changed)).toEqual(same);
});

test("a folder that holds a symbolic link is never taken for unchanged: the ids do not tell what the link leads to", async () => {
  const tree = sourceTree({ ...files, "a/two.yaml": "a: 2" });
  const list: SourceTree["list"] = async (path, within) =>
    (await tree.list(path, within)).map((entry) => ({ ...entry, linked: entry.path === "a/one.yaml" }));
  const linked: SourceTree = { ...tree, list };
  const known = await knownOf(linked, ["a"]);
  expect(known.find(url, "a")).toBeUndefined();
});

test("the digest of plain manifests knows what their links lead to", async () => {
  const tree = sourceTree(files);
  const linkedTo = (oid: string): SourceTree => ({ ...tree, list: async () => [{ path: "a/one.yaml", oid, linked: true }] });
  const digest = (oid: string) => plain?.inputs(linkedTo(oid), "a", signal);
  expect(await digest("1")).not.toBe(await digest("2"));
  expect(await digest("1")).toBe(await digest("1"));
});

test("of more folders than are kept the repository that was known first is forgotten", () => {
  const known = createKnownInputs();
  const one = { digest: "d", reads: new Map() };
  for (let folder = 0; folder < 19_999; folder++) known.remember("first", String(folder), one);
  known.remember("second", "a", one);
  known.remember("first", "0", one);
  expect([known.find("first", "1"), known.find("second", "a")]).toEqual([undefined, one]);
  known.remember("second", "b", one);
  expect([known.find("first", "0"), known.find("second", "a")]).toEqual([one, one]);
});
