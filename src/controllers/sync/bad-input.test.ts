import { afterAll, beforeAll, expect, test } from "vitest";
import { appIn, configMap, startWorld, type World } from "../../../test/sync-world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld({ searchPath: "/nonexistent" });
});
afterAll(() => world.close());

type Files = Parameters<ReturnType<typeof appIn>["source"]["commit"]>[0];
const good = configMap("good", { k: "1" });

const cases: readonly (readonly [name: string, files: Files, reason: string, message: RegExp])[] = [
  ["broken YAML in the tenth document", { "a.yaml": `${`${good}---\n`.repeat(9)}a: b: c\n` }, "BuildFailed", /a\.yaml:64: /],
  ["the same key twice", { "a.yaml": `${good}  k: "2"\n` }, "BuildFailed", /a\.yaml:7: the key "k" stands here again, first on line 6/],
  ["merge conflict markers", { "a.yaml": `<<<<<<< HEAD\n${good}=======\n` }, "BuildFailed", /a\.yaml:1: merge conflict marker/],
  ["duplicate object", { "a.yaml": good, "b.yaml": `# x\n${good}` }, "BuildFailed", /is described twice: in a\.yaml:1 and in b\.yaml:2/],
  ["an LFS pointer", { "a.yaml": "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n" }, "BuildFailed", /a\.yaml is a Git LFS pointer/],
  ["a file of ten megabytes", { "a.yaml": "#".repeat(10 * 1024 * 1024) }, "", /a\.yaml/],
  ["a symbolic link out of the tree", { "a.yaml": good, "b.yaml": undefined }, "", /b\.yaml/],
  ["renders to nothing", { "README.md": "x" }, "EmptyRender", /renders to nothing, which would delete all 1 objects of Sync .*set spec\.allowEmpty/],
  ["kustomize without the binary", { "kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": good }, "KustomizeNotFound", /finds no kustomize on its PATH/],
  ["an unknown field", { "a.yaml": `${good}dta: {}\n` }, "ReconciliationFailed", /ConfigMap\/\S+\/good \(a\.yaml:1\): .*dta/],
  ["an unknown kind", { "a.yaml": good, "b.yaml": "apiVersion: x.dev/v1\nkind: X\nmetadata: {name: x}\n" }, "ReconciliationFailed", /\(b\.yaml:1\): the cluster has no kind X in x\.dev\/v1/],
  ["a rejected object", { "a.yaml": good, "b.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 99999}]}\n" }, "ReconciliationFailed", /Service\/\S+\/s \(b\.yaml:1\): /],
  ["something that is no object", { "a.yaml": good, "values.yaml": "a: 1\n" }, "BuildFailed", /values\.yaml:1: is not a Kubernetes object/],
];

test.each(cases.map((row, index) => [row[0], index, row] as const))("%s is told, and what runs stays", async (_, index, [, files, reason, message]) => {
  const app = appIn(world, `bad-${index}`);
  const first = app.source.commit({ "good.yaml": good });
  await app.create();
  await app.becomes(first, "True");
  const bad = app.source.commit(files);
  await app.poke();
  const told = await app.becomes(bad, "False", reason === "" ? undefined : reason);
  expect(told.message).toMatch(message);
  expect((await app.find("ConfigMap", "good"))?.["data"]).toEqual({ k: "1" });
  expect(told.status.lastAppliedRevision).toBe(`main@sha1:${first}`);
  const mended = app.source.commit({ "good.yaml": configMap("good", { k: "2" }) });
  await app.poke();
  await app.becomes(mended, "True");
});

test("a namespace that does not exist is named, and nothing guessed when none is given", async () => {
  const app = appIn(world, "placeless");
  const first = app.source.commit({ "a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: not-there}\ndata: {k: v}\n" });
  await app.create({ targetNamespace: undefined as never });
  expect((await app.becomes(first, "False", "ReconciliationFailed")).message).toContain("ConfigMap/not-there/a (a.yaml:1): namespace not-there does not exist");
  const second = app.source.commit({ "a.yaml": configMap("a", { k: "v" }) });
  await app.poke();
  expect((await app.becomes(second, "False", "NamespaceMissing")).message).toContain("ConfigMap/a (a.yaml:1) names no namespace");
});
