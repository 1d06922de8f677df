import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { appIn, configMap, eventually, never, startWorld, type World } from "../../../test/sync-world.ts";
import { apiVersion } from "../../api/meta.ts";

const signal = never();
let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

const deployment = (name: string, image: string) =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ${name}}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: ${name}}}\n  template:\n    metadata: {labels: {app: ${name}}}\n    spec: {containers: [{name: app, image: "${image}"}]}\n`;

/** Plays the Deployment controller: nobody else does in this world. */
async function report(namespace: string, name: string, ready: boolean, conditions: object[] = []): Promise<void> {
  const ref = { apiVersion: "apps/v1", kind: "Deployment", namespace, name };
  const live = await eventually(() => world.kube.find(ref, signal), () => `no Deployment ${name}`);
  const count = ready ? 1 : 0;
  const status = {
    observedGeneration: live.metadata.generation,
    replicas: 1,
    updatedReplicas: 1,
    availableReplicas: count,
    readyReplicas: count,
    conditions,
  };
  await world.kube.patch(ref, { status }, { fieldManager: "deployment-controller", subresource: "status" }, signal);
}

test("with wait, Ready waits for health without holding a worker; pruning comes after health", async () => {
  const app = appIn(world, "health");
  const first = app.source.commit({ "a.yaml": deployment("a", "x:1"), "old.yaml": configMap("old", { k: "1" }) });
  await app.create({ wait: true });
  const said = (commit: string, text: string) =>
    eventually(
      async () => (await app.becomes(commit, "Unknown")).message.includes(text) || undefined,
      () => `not told: ${text}`,
    );
  await said(first, "Deployment/health/a");
  await report("health", "a", true);
  await app.becomes(first, "True");

  const second = app.source.commit({ "a.yaml": deployment("a", "x:2") });
  await app.poke();
  await said(second, "not pruned before that: ConfigMap/health/old");
  expect(await app.find("ConfigMap", "old")).toBeDefined();
  await report("health", "a", true);
  await app.becomes(second, "True");
  expect(await app.find("ConfigMap", "old")).toBeUndefined();

  // A pod that moves is no failed release: it gets its time again.
  await report("health", "a", false);
  await said(second, "Deployment/health/a");
  await report("health", "a", true);
  await app.becomes(second, "True");
});

test("what does not become healthy in time keeps what it should have replaced", async () => {
  const app = appIn(world, "late");
  app.source.commit({ "a.yaml": deployment("a", "x:1"), "old.yaml": configMap("old", { k: "1" }) });
  await app.create({ timeout: "1s" });
  await report("late", "a", true);
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "late", name: "a-1", labels: { app: "a" } },
    spec: { containers: [{ name: "app", image: "x:2" }] },
  };
  await world.kube.create(pod, { fieldManager: "test" }, signal);
  const containerStatuses = [
    {
      name: "app",
      image: "x:2",
      imageID: "",
      ready: false,
      restartCount: 0,
      state: { waiting: { reason: "ImagePullBackOff", message: "no such image" } },
    },
  ];
  await world.kube.patch(
    { ...pod, namespace: "late", name: "a-1" },
    { status: { phase: "Pending", containerStatuses } },
    { fieldManager: "test", subresource: "status" },
    signal,
  );
  const second = app.source.commit({ "a.yaml": deployment("a", "x:2") });
  await app.poke();
  const { message } = await app.becomes(second, "False", "HealthCheckFailed");
  expect(message).toContain("Deployment/late/a ");
  expect(message).toContain("Pod/late/a-1: ImagePullBackOff in container app: no such image");
  expect(await app.find("ConfigMap", "old")).toBeDefined();
  await report("late", "a", true);
  await app.becomes(second, "True");
});

test("what has failed does not count as on its way again before it is healthy", async () => {
  const app = appIn(world, "failed");
  const commit = app.source.commit({ "a.yaml": deployment("a", "x:1") });
  await app.create({ wait: true });
  await report("failed", "a", false, [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }]);
  await app.becomes(commit, "False", "HealthCheckFailed");
  await report("failed", "a", false);
  const next = await eventually(async () => {
    const ready = (await app.sync()).status.conditions?.find(({ type }) => type === "Ready");
    return ready?.message.includes("deadline") ? undefined : ready;
  }, () => "the news was not seen");
  expect(next).toMatchObject({ status: "False", reason: "HealthCheckFailed" });
  await report("failed", "a", true);
  await app.becomes(commit, "True");
});

test("namespaces and CustomResourceDefinitions come first, and what needs them in the same commit follows", async () => {
  const app = appIn(world, "stages");
  const crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: wheels.cars.dev}\nspec:\n  group: cars.dev\n  names: {kind: Wheel, plural: wheels, singular: wheel, listKind: WheelList}\n  scope: Namespaced\n  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]\n";
  const commit = app.source.commit({
    "a-wheel.yaml": "apiVersion: cars.dev/v1\nkind: Wheel\nmetadata: {name: left, namespace: stages-b}\nspec: {size: 3}\n",
    "b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: stages-b}\ndata: {k: v}\n",
    "z.yaml": `${crd}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: stages-b}\n`,
  });
  await app.create({ targetNamespace: undefined as never });
  await app.becomes(commit, "True");
  expect(await world.kube.find({ apiVersion: "cars.dev/v1", kind: "Wheel", namespace: "stages-b", name: "left" }, signal)).toBeDefined();
});

describe("dependsOn", () => {
  test("waits until the other has applied the same revision", async () => {
    const app = appIn(world, "deps");
    const commit = app.source.commit({ "a/a.yaml": configMap("a", { k: "1" }), "b/b.yaml": configMap("b", { k: "1" }) });
    await app.create({ path: "a", dependsOn: [{ name: "base" }] });
    const { message } = await app.becomes(commit, "False", "DependencyNotReady");
    expect(message).toContain("Sync deps/base, which spec.dependsOn names, does not exist");
    await world.kube.apply(
      {
        apiVersion,
        kind: "Sync",
        metadata: { namespace: "deps", name: "base" },
        spec: { sourceRef: { name: "app" }, interval: "1h", prune: true, path: "b", targetNamespace: "deps" },
      },
      { fieldManager: "test" },
      signal,
    );
    await app.becomes(commit, "True");
    expect(await app.find("ConfigMap", "b")).toBeDefined();
  });

  test("does not wait for one to which the commit is nothing new", async () => {
    const app = appIn(world, "deps-still");
    const files = { "a/a.yaml": configMap("a", { k: "1" }), "b/b.yaml": configMap("b", { k: "1" }) };
    const first = app.source.commit(files);
    await app.create({ path: "a", dependsOn: [{ name: "base" }] });
    const spec = { sourceRef: { name: "app" }, interval: "1h", prune: true, path: "b", targetNamespace: "deps-still" };
    const base = { apiVersion, kind: "Sync", metadata: { namespace: "deps-still", name: "base" }, spec };
    await world.kube.apply(base, { fieldManager: "test" }, signal);
    await app.becomes(first, "True");
    const second = app.source.commit({ ...files, "a/a.yaml": configMap("a", { k: "2" }) });
    await app.poke();
    await app.becomes(second, "True");
    expect(await app.find("Sync", "base", apiVersion)).toMatchObject({ status: { lastAppliedRevision: `main@sha1:${first}` } });
  });

  test("a circle is named", async () => {
    const app = appIn(world, "circle");
    const commit = app.source.commit({ "a.yaml": configMap("a", { k: "1" }) });
    await app.create({ dependsOn: [{ name: "other" }] });
    await world.kube.apply(
      {
        apiVersion,
        kind: "Sync",
        metadata: { namespace: "circle", name: "other" },
        spec: { sourceRef: { name: "app" }, interval: "1h", prune: true, dependsOn: [{ name: "app" }] },
      },
      { fieldManager: "test" },
      signal,
    );
    const { message } = await app.becomes(commit, "False", "DependencyCycle");
    expect(message).toContain("app → other → app");
  });
});

describe("a Sync that is deleted", () => {
  const ref = (namespace: string) => ({ apiVersion, kind: "Sync", namespace, name: "app" });
  const gone = (namespace: string) =>
    eventually(
      async () => ((await world.kube.find(ref(namespace), signal)) ? undefined : true),
      () => "the Sync stays",
    );

  test("takes its objects with it, but not those that are another's by now", async () => {
    const app = appIn(world, "deleted");
    const commit = app.source.commit({ "a.yaml": configMap("a", { k: "1" }), "b.yaml": configMap("b", { k: "1" }) });
    await app.create();
    await app.becomes(commit, "True");
    await world.kube.patch(
      { apiVersion, kind: "Sync", namespace: "deleted", name: "app" },
      { spec: { suspend: true } },
      { fieldManager: "test" },
      signal,
    );
    await world.kube.patch(
      { apiVersion: "v1", kind: "ConfigMap", namespace: "deleted", name: "b" },
      { metadata: { labels: { "serin.dev/sync-name": "other" } } },
      { fieldManager: "other" },
      signal,
    );
    await world.kube.patch(
      { apiVersion, kind: "Sync", namespace: "deleted", name: "app" },
      { spec: { suspend: false } },
      { fieldManager: "test" },
      signal,
    );
    await world.kube.delete(ref("deleted"), {}, signal);
    await gone("deleted");
    expect(await app.find("ConfigMap", "a")).toBeUndefined();
    expect(await app.find("ConfigMap", "b")).toBeDefined();
  });

  test("leaves them when it is suspended", async () => {
    const app = appIn(world, "orphaned");
    const commit = app.source.commit({ "a.yaml": configMap("a", { k: "1" }) });
    await app.create();
    await app.becomes(commit, "True");
    await world.kube.patch(ref("orphaned"), { spec: { suspend: true } }, { fieldManager: "test" }, signal);
    await world.kube.delete(ref("orphaned"), {}, signal);
    await gone("orphaned");
    expect(await app.find("ConfigMap", "a")).toBeDefined();
  });
});

test("a suspended Sync neither applies nor corrects", async () => {
  const app = appIn(world, "suspended");
  const first = app.source.commit({ "a.yaml": configMap("a", { k: "1" }) });
  await app.create();
  await app.becomes(first, "True");
  await world.kube.patch(
    { apiVersion, kind: "Sync", namespace: "suspended", name: "app" },
    { spec: { suspend: true } },
    { fieldManager: "test" },
    signal,
  );
  const ref = { apiVersion: "v1", kind: "ConfigMap", namespace: "suspended", name: "a" };
  await world.kube.patch(ref, { data: { k: "hand" } }, { fieldManager: "hand" }, signal);
  const second = app.source.commit({ "a.yaml": configMap("a", { k: "2" }) });
  await app.poke();
  await eventually(async () => {
    const repository = await world.kube.get({ apiVersion, kind: "GitRepository", namespace: "suspended", name: "app" }, signal);
    return (repository["status"] as { revision: string }).revision.includes(second) || undefined;
  }, () => "not fetched");
  expect((await app.find("ConfigMap", "a"))?.["data"]).toEqual({ k: "hand" });
  await world.kube.patch(
    { apiVersion, kind: "Sync", namespace: "suspended", name: "app" },
    { spec: { suspend: false } },
    { fieldManager: "test" },
    signal,
  );
  await app.becomes(second, "True");
  expect((await app.find("ConfigMap", "a"))?.["data"]).toEqual({ k: "2" });
});

test("without prune everything stays; an object may also ask to stay", async () => {
  const app = appIn(world, "noprune");
  const first = app.source.commit({
    "a.yaml": configMap("a", { k: "1" }),
    "b.yaml": configMap("b", { k: "1" }, "  annotations: {serin.dev/prune: Disabled}\n"),
    "c.yaml": configMap("c", { k: "1" }),
  });
  await app.create({ prune: false });
  await app.becomes(first, "True");
  const second = app.source.commit({ "a.yaml": configMap("a", { k: "1" }) });
  await app.poke();
  await app.becomes(second, "True");
  expect(await app.find("ConfigMap", "c")).toBeDefined();
  await world.kube.patch(
    { apiVersion, kind: "Sync", namespace: "noprune", name: "app" },
    { spec: { prune: true } },
    { fieldManager: "test" },
    signal,
  );
  await eventually(
    async () => ((await app.find("ConfigMap", "c")) ? undefined : true),
    () => "c was not pruned",
  );
  expect(await app.find("ConfigMap", "b")).toBeDefined();
});

test("writes as the service account", async () => {
  const app = appIn(world, "tenant");
  const commit = app.source.commit({ "a.yaml": configMap("a", { k: "1" }) });
  world.requests.length = 0;
  await app.create({ serviceAccountName: "deployer" });
  await app.becomes(commit, "True");
  const users = world.requests
    .filter(({ namespace, resource, verb }) => namespace === "tenant" && resource === "configmaps" && verb === "patch")
    .map(({ user }) => user);
  expect(new Set(users)).toEqual(new Set(["system:serviceaccount:tenant:deployer"]));
});

test("two Syncs that apply the same object are told of each other", async () => {
  const app = appIn(world, "twice");
  const commit = app.source.commit({ "a.yaml": configMap("a", { k: "1" }) });
  await app.create();
  await app.becomes(commit, "True");
  await world.kube.apply(
    {
      apiVersion,
      kind: "Sync",
      metadata: { namespace: "twice", name: "thief" },
      spec: { sourceRef: { name: "app" }, interval: "1h", prune: true, targetNamespace: "twice" },
    },
    { fieldManager: "test" },
    signal,
  );
  const { message } = await app.becomes(commit, "False", "OwnedByAnother");
  expect(message).toContain("ConfigMap/twice/a (a.yaml:1) is also applied by Sync twice/thief");
});

describe("an object that one commit moves to another Sync of the same source", () => {
  const inA = (...names: string[]) => Object.fromEntries(names.map((name) => [`a/${name}.yaml`, configMap(name, { k: "1" })]));
  const inB = (...names: string[]) => Object.fromEntries(names.map((name) => [`b/${name}.yaml`, configMap(name, { k: "2" })]));
  const other = (namespace: string, spec: object = {}) =>
    world.kube.apply(
      {
        apiVersion,
        kind: "Sync",
        metadata: { namespace, name: "other" },
        spec: { sourceRef: { name: "app" }, path: "./b", interval: "1h", prune: true, targetNamespace: namespace, ...spec },
      },
      { fieldManager: "test" },
      signal,
    );

  /** Waits until exactly these objects wait for the other Sync. */
  const left = (app: ReturnType<typeof appIn>, commit: string, objects: string) =>
    eventually(
      async () => (await app.becomes(commit, "Unknown")).message.endsWith(`: not deleted, but left to be taken over: ${objects}`) || undefined,
      () => `nothing said of ${objects}`,
    );

  test("is left for it, however late that one comes, and is never deleted", async () => {
    const app = appIn(world, "moved");
    app.source.commit({ ...inA("stays", "moves"), ...inB("own") });
    await app.create({ path: "./a" });
    await other("moved", { suspend: true });
    const before = await eventually(() => app.find("ConfigMap", "moves"), () => "never applied");
    const second = app.source.commit({ ...inA("stays"), ...inB("own", "moves") });
    await app.poke();
    await left(app, second, "ConfigMap/moved/moves for Sync moved/other");
    await other("moved", { suspend: false });
    const { status } = await app.becomes(second, "True");
    expect(status.inventory?.entries.map(({ id }) => id)).toEqual(["moved_stays__ConfigMap"]);
    const after = await app.find("ConfigMap", "moves");
    expect([after?.metadata.uid, after?.metadata.labels?.["serin.dev/sync-name"], after?.["data"]]).toEqual([
      before.metadata.uid,
      "other",
      { k: "2" },
    ]);
  });

  test("waits for one that cannot be rendered only when its folder names the object", async () => {
    const app = appIn(world, "unmoved");
    app.source.commit({ ...inA("named", "gone"), ...inB("own") });
    await app.create({ path: "./a" });
    await other("unmoved");
    await eventually(() => app.find("ConfigMap", "own"), () => "never applied");
    await eventually(() => app.find("ConfigMap", "gone"), () => "never applied");
    const second = app.source.commit({ "a/x.yaml": configMap("x", {}), "b/broken.yaml": "kind: ConfigMap\nmetadata: {name: named\n" });
    await app.poke();
    await left(app, second, "ConfigMap/unmoved/named for Sync unmoved/other");
    expect([await app.find("ConfigMap", "gone"), (await app.find("ConfigMap", "named"))?.metadata.name]).toEqual([undefined, "named"]);
    const third = app.source.commit({ "a/x.yaml": configMap("x", {}), ...inB("own") });
    await app.poke();
    await app.becomes(third, "True");
    expect(await app.find("ConfigMap", "named")).toBeUndefined();
  });

  test("outlives its old Sync when that is deleted", async () => {
    const app = appIn(world, "inherited");
    app.source.commit({ ...inA("moves", "goes"), ...inB("own") });
    await app.create({ path: "./a" });
    await other("inherited", { suspend: true });
    const before = await eventually(() => app.find("ConfigMap", "moves"), () => "never applied");
    const second = app.source.commit({ "a/x.yaml": configMap("x", {}), ...inB("own", "moves") });
    await app.poke();
    await left(app, second, "ConfigMap/inherited/moves for Sync inherited/other");
    await world.kube.delete({ apiVersion, kind: "Sync", namespace: "inherited", name: "app" }, {}, signal);
    await eventually(async () => ((await app.find("Sync", "app", apiVersion)) ? undefined : true), () => "the Sync stays");
    const moved = await app.find("ConfigMap", "moves");
    expect([moved?.metadata.uid, await app.find("ConfigMap", "x")]).toEqual([before.metadata.uid, undefined]);
  });
});
