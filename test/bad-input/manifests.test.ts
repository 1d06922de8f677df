import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findCondition } from "../../src/api/conditions.ts";
import { type App, appIn, configMap, eventually, startWorld, type World } from "../sync-world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld({ searchPath: "/nonexistent" });
});
afterAll(() => world.close());

type Files = Parameters<App["source"]["commit"]>[0];
const good = configMap("good", { k: "1" });
const secret = (field: string): string => `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n${field}\n`;
const canary = (analysis: string): string => `apiVersion: serin.dev/v1beta1
kind: Canary
metadata: {name: c}
spec:
  targetRef: {kind: Deployment, name: c}
  service: {port: 80}
  analysis: ${analysis}
`;
const lfsPointer = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n";

interface Row {
  /** Of the commit, beside a changed and a new object that are both as they should be. */
  readonly files: Files;
  /** The commit has nothing else. */
  readonly alone?: true;
  readonly reason: string;
  readonly says: RegExp;
  /** Nothing but another commit can mend it, so it is not tried again. */
  readonly stalled?: true;
}

const rows: Readonly<Record<string, Row>> = {
  "broken YAML in the tenth document": {
    files: { "apps/a.yaml": `${`${good}---\n`.repeat(9)}a: b: c\n` },
    reason: "BuildFailed",
    says: /apps\/a\.yaml:64: /,
    stalled: true,
  },
  "the same key twice": {
    files: { "a.yaml": `${configMap("a", { k: "1" })}  k: "2"\n` },
    reason: "BuildFailed",
    says: /a\.yaml:7: the key "k" stands here again, first on line 6/,
    stalled: true,
  },
  "merge conflict markers": {
    files: { "a.yaml": `# mine\n<<<<<<< HEAD\n${good}=======\n` },
    reason: "BuildFailed",
    says: /a\.yaml:2: merge conflict marker "<<<<<<< HEAD"; resolve the conflict and commit again/,
    stalled: true,
  },
  "duplicate object": {
    files: { "twice.yaml": `# x\n${good}` },
    reason: "BuildFailed",
    says: /ConfigMap\/\S+\/good is described twice: in good\.yaml:1 and in twice\.yaml:2/,
    stalled: true,
  },
  "a pointer of Git LFS": {
    files: { "a.yaml": lfsPointer },
    reason: "BuildFailed",
    says: /a\.yaml is a Git LFS pointer, not a manifest; commit the file itself/,
    stalled: true,
  },
  "a file of ten megabytes": {
    files: { "a.yaml": "#".repeat(10 * 1024 * 1024) },
    reason: "LimitExceeded",
    says: /"a\.yaml" is larger than the limit of 1 MiB for one file; make it smaller, or move it out of spec\.path/,
  },
  "something that is no object": {
    files: { "values.yaml": "a: 1\n" },
    reason: "BuildFailed",
    says: /values\.yaml:1: is not a Kubernetes object: it has no apiVersion/,
    stalled: true,
  },
  "a symbolic link out of the tree": {
    files: { "b.yaml": undefined },
    reason: "UnsafeContent",
    says: /"b\.yaml" is a symbolic link out of the repository, to "\/etc\/hostname"; remove that from the repository/,
    stalled: true,
  },
  "nothing at all": {
    files: { "README.md": "x" },
    alone: true,
    reason: "EmptyRender",
    says: /renders to nothing, which would delete all 1 objects of Sync .*set spec\.allowEmpty/,
    stalled: true,
  },
  "kustomize without the binary": {
    files: { "kustomization.yaml": "resources: [good.yaml, new.yaml]\n" },
    reason: "KustomizeNotFound",
    says: /finds no kustomize on its PATH; install it, or commit the rendered manifests/,
    stalled: true,
  },
  "an unknown field": {
    files: { "a.yaml": `${configMap("a", { k: "1" })}dta: {}\n` },
    reason: "ReconciliationFailed",
    says: /ConfigMap\/\S+\/a \(a\.yaml:1\): .*\.dta: field not declared in schema/,
  },
  "an unknown kind": {
    files: { "b.yaml": "apiVersion: x.dev/v1\nkind: X\nmetadata: {name: x}\n" },
    reason: "ReconciliationFailed",
    says: /X\/\S+\/x \(b\.yaml:1\): the cluster has no kind X in x\.dev\/v1; install its CustomResourceDefinition or correct apiVersion/,
  },
  "an object that the API server rejects": {
    files: { "b.yaml": "# a service\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 99999}]}\n" },
    reason: "ReconciliationFailed",
    says: /Service\/\S+\/s \(b\.yaml:2\): .*spec\.ports\[0\]\.port.*must be between 1 and 65535/,
  },
  "a Canary that breaks a rule": {
    files: { "c.yaml": canary("{stepWeight: 5, iterations: 5, metrics: [{name: request-duration}]}") },
    reason: "ReconciliationFailed",
    says: /Canary\/\S+\/c \(c\.yaml:1\): .*spec\.analysis: .*set exactly one of iterations, stepWeight and stepWeights/,
  },
  "a Canary with text for a number": {
    files: { "c.yaml": canary("{stepWeight: five, metrics: [{name: request-duration}]}") },
    reason: "ReconciliationFailed",
    says: /Canary\/\S+\/c \(c\.yaml:1\): .*\.spec\.analysis\.stepWeight: expected numeric \(int or float\), got string/,
  },
  "several at once, all of them named": {
    files: { "b.yaml": "apiVersion: x.dev/v1\nkind: X\nmetadata: {name: x}\n", "c.yaml": `${configMap("a", {})}dta: {}\n` },
    reason: "ReconciliationFailed",
    says: /\(b\.yaml:1\): .*\(c\.yaml:1\): |\(c\.yaml:1\): .*\(b\.yaml:1\): /,
  },
  "a Secret that is not base64": {
    files: { "s.yaml": secret("data: {password: hunter2!}") },
    reason: "ReconciliationFailed",
    says: /Secret\/\S+\/s \(s\.yaml:1\): .*illegal base64 data/,
  },
  "a number as password": {
    files: { "s.yaml": secret("stringData: {password: 20001337}") },
    reason: "ReconciliationFailed",
    says: /Secret\/\S+\/s \(s\.yaml:1\): .*\.stringData\.password: expected string$/,
  },
};

describe.concurrent("what is wrong in Git is told with its place, nothing of the commit is applied, and what runs stays", () => {
  test.each(Object.entries(rows).map(([name, row], index) => [name, row, `bad-${index}`] as const))("%s", async (_, row, namespace) => {
    const app = appIn(world, namespace);
    const first = app.source.commit({ "good.yaml": good });
    await app.create();
    const { status: before } = await app.becomes(first, "True");

    const others = { "good.yaml": configMap("good", { k: "changed" }), "new.yaml": configMap("new", { k: "1" }) };
    const bad = app.source.commit(row.alone ? row.files : { ...others, ...row.files });
    await app.poke();
    const { message, status } = await app.becomes(bad, "False", row.reason);
    expect(message).toMatch(row.says);
    expect(message).not.toMatch(/hunter2|20001337/);
    expect(findCondition(status.conditions, "Stalled")?.status).toBe(row.stalled ? "True" : undefined);
    expect((await app.find("ConfigMap", "good"))?.["data"]).toEqual({ k: "1" });
    expect(await app.find("ConfigMap", "new")).toBeUndefined();
    expect(status.lastAppliedRevision).toBe(`main@sha1:${first}`);
    // What was about to be written may be in it too: it is recorded before.
    expect(idsOf(status)).toEqual(expect.arrayContaining(idsOf(before)));
    const isTold = (event: string): boolean => event.includes(row.reason) && row.says.test(event);
    await eventually(
      async () => (await app.events()).some(isTold) || undefined,
      () => "no event says so",
    );

    const mended = app.source.commit(others);
    await app.poke();
    await app.becomes(mended, "True");
    expect(await app.find("ConfigMap", "new")).toBeDefined();
    expect(idsOf(await app.sync().then((sync) => sync.status))).toEqual([`${namespace}_good__ConfigMap`, `${namespace}_new__ConfigMap`]);
  });

  test("a namespace that does not exist is named, and nothing is guessed when none is given", async () => {
    const app = appIn(world, "placeless");
    const lost = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: not-there}\ndata: {k: v}\n";
    const found = configMap("found", { k: "1" }, "  namespace: placeless\n");
    const first = app.source.commit({ "a.yaml": lost, "found.yaml": found });
    await app.create({ targetNamespace: undefined as never });
    const { message } = await app.becomes(first, "False", "ReconciliationFailed");
    expect(message).toContain(
      "ConfigMap/not-there/a (a.yaml:1): namespace not-there does not exist; create it or add it to the repository",
    );
    expect(await app.find("ConfigMap", "found")).toBeUndefined();
    const second = app.source.commit({ "a.yaml": configMap("a", { k: "v" }), "found.yaml": found });
    await app.poke();
    const told = await app.becomes(second, "False", "NamespaceMissing");
    expect(told.message).toContain(
      "ConfigMap/a (a.yaml:1) names no namespace; set metadata.namespace in it, or spec.targetNamespace in the Sync",
    );
  });

  test.each([
    ["a folder that is not there", "apps", "ArtifactFailed", "spec.path: apps does not exist in the repository"],
    ["a file for a folder", "good.yaml", "ArtifactFailed", "spec.path: good.yaml is a file, not a folder"],
    ["a folder out of the repository", "../..", "InvalidPath", 'spec.path "../.." leads out of the repository'],
  ])("%s", async (_, path, reason, says) => {
    const app = appIn(world, `path-${path.replaceAll(/\W/g, "x")}`);
    const commit = app.source.commit({ "good.yaml": good });
    await app.create();
    await app.becomes(commit, "True");
    await app.create({ path });
    expect((await app.becomes(commit, "False", reason)).message).toContain(says);
    expect(await app.find("ConfigMap", "good")).toBeDefined();
  });
});

function idsOf({ inventory }: { inventory?: { entries: readonly { id: string }[] } | undefined }): string[] {
  return (inventory?.entries ?? []).map(({ id }) => id);
}
