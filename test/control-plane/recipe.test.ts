import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bundleNames, goMods, keyOf, pinsOf, recipes, versions } from "../../hack/control-plane/recipe.ts";

const linux = { platform: "linux", arch: "x64" };

test("every bundle has a key of its own, the same each time", () => {
  const keys = bundleNames.map((name) => keyOf(name, linux));
  expect(new Set(keys).size).toBe(bundleNames.length);
  expect(bundleNames.map((name) => keyOf(name, linux))).toEqual(keys);
});

test("another machine has other keys", () => {
  for (const name of bundleNames) expect(keyOf(name, { ...linux, arch: "arm64" })).not.toBe(keyOf(name, linux));
});

test.each<[string, "kubernetes" | "gitea", string[]]>([
  ["Kubernetes and etcd", "kubernetes", [`k8s.io/kubernetes v${versions.kubernetes}`, `go.etcd.io/etcd/server/v3 v${versions.etcd}`]],
  ["Gitea", "gitea", [`code.gitea.io/gitea v${versions.gitea}`]],
])("what is pinned for %s is what the recipe says", (_, name, modules) => {
  const pinned = readFileSync(join(pinsOf(name), "go.mod"), "utf8");
  for (const module of modules) expect(pinned).toContain(module);
  const replaces = goMods[name].split("\n").filter((line) => line.startsWith("replace "));
  expect(replaces.filter((line) => !pinned.includes(line))).toEqual([]);
});

test("the versions that binaries tell are the ones they are built from", () => {
  for (const name of ["kubernetes", "contour", "gitea", "helm"] as const) {
    const recipe = recipes[name];
    expect(recipe.from === "go" && recipe.flags.some((flag) => flag.includes(versions[name]))).toBe(true);
  }
});
