import { afterAll, beforeAll, expect, test } from "vitest";
import { apiVersion } from "../../api/meta.ts";
import { describeRef, type KubeObject, type ObjectRef } from "../../api/object.ts";
import { KubeError } from "../../kube/kube.ts";
import { appIn, configMap, eventually, startWorld, type World } from "../../../test/sync-world.ts";

const signal = new AbortController().signal;
let world: World;
const syncIn = (namespace: string): ObjectRef => ({ apiVersion, kind: "Sync", namespace, name: "app" });
/** Commits at which a Sync's folder was looked at. */
const lookedAt = new Set<string>();
/** Namespaces of the Syncs that were rendered, one for each time. */
const rendered: (string | undefined)[] = [];
/** What happens in the cluster right before an object is deleted. */
let beforeDelete: (ref: ObjectRef) => Promise<void> = async () => {};
/** What happens when an object is read by name, instead of by watch. */
let beforeFind: (ref: ObjectRef) => void = () => {};
beforeAll(async () => {
  world = await startWorld({
    wrap: ({ rendering, kube, ...deps }) => ({
      ...deps,
      rendering: {
        ...rendering,
        inputsAt: async (sync, repository, commit, within) => {
          const inputs = await rendering.inputsAt(sync, repository, commit, within);
          lookedAt.add(commit);
          return inputs;
        },
        renderAt: (sync, ...rest) => {
          rendered.push(sync.metadata.namespace);
          return rendering.renderAt(sync, ...rest);
        },
      },
      kube: {
        ...kube,
        find: async (ref, ...rest) => {
          beforeFind(ref);
          return kube.find(ref, ...rest);
        },
        delete: async (ref, ...rest) => {
          await beforeDelete(ref);
          await kube.delete(ref, ...rest);
        },
      },
    }),
  });
});
afterAll(() => world.close());

test("a commit is applied, labelled and named; what leaves Git is pruned", async () => {
  const app = appIn(world, "basic");
  const first = app.source.commit({ "a.yaml": configMap("a", { k: "1" }), "b.yaml": configMap("b", { k: "1" }) });
  await app.create();
  const { status } = await app.becomes(first, "True", "ReconciliationSucceeded");
  expect(status.revision).toBe(`main@sha1:${first}`);
  expect(status.lastAppliedRevision).toBe(`main@sha1:${first}`);
  const a = await app.find("ConfigMap", "a");
  expect(a?.metadata.labels).toMatchObject({ "serin.dev/sync-name": "app", "serin.dev/sync-namespace": "basic" });
  expect(a?.metadata.annotations).toEqual({ "serin.dev/commit": first });

  const second = app.source.commit({ "a.yaml": configMap("a", { k: "2" }) });
  await app.poke();
  await app.becomes(second, "True");
  expect((await app.find("ConfigMap", "a"))?.["data"]).toEqual({ k: "2" });
  await eventually(async () => ((await app.find("ConfigMap", "b")) ? undefined : true), () => "b was not pruned");
});

test("what seems to be changed by hand is not written while it cannot be read", async () => {
  const app = appIn(world, "unread");
  const commit = app.source.commit({ "a.yaml": configMap("a", { k: "1" }) });
  await app.create();
  await app.becomes(commit, "True");
  let asked = 0;
  beforeFind = ({ kind, namespace }) => {
    if (kind !== "ConfigMap" || namespace !== "unread") return;
    asked += 1;
    throw new KubeError(503, "ServiceUnavailable", "the API server is overloaded");
  };
  const ref = { apiVersion: "v1", kind: "ConfigMap", namespace: "unread", name: "a" };
  await world.kube.patch(ref, { data: { k: "by hand" } }, { fieldManager: "kubectl-edit" }, signal);
  await eventually(async () => (asked > 0 ? true : undefined), () => "nobody looked");
  await world.kube.delete(ref, {}, signal);
  const before = asked;
  await eventually(async () => (asked > before ? true : undefined), () => "nobody looked again");
  expect(await app.find("ConfigMap", "a")).toBeUndefined();
  beforeFind = () => {};
  await app.poke();
  await eventually(async () => ((await app.find("ConfigMap", "a")) ? true : undefined), () => "a is not made again");
  // The first, the one by hand, and the last.
  const writes = world.requests.filter(({ verb, resource }) => verb === "patch" && resource === "configmaps");
  expect(writes.filter(({ namespace }) => namespace === "unread")).toHaveLength(3);
});

test("what leaves Git is not deleted when somebody made it anew in the meantime", async () => {
  const app = appIn(world, "anew");
  const first = app.source.commit({ "a.yaml": configMap("a", { k: "1" }), "b.yaml": configMap("b", { k: "1" }) });
  await app.create();
  await app.becomes(first, "True");
  const ref = { apiVersion: "v1", kind: "ConfigMap", namespace: "anew", name: "b" };
  beforeDelete = async (going) => {
    if (describeRef(going) !== describeRef(ref)) return;
    beforeDelete = async () => {};
    await world.kube.delete(ref, {}, signal);
    const theirs = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "anew", name: "b" }, data: { k: "theirs" } };
    await world.kube.create(theirs, { fieldManager: "somebody" }, signal);
  };
  const second = app.source.commit({ "a.yaml": configMap("a", { k: "2" }) });
  await app.poke();
  const { status } = await app.becomes(second, "True");
  expect((await app.find("ConfigMap", "b"))?.["data"]).toEqual({ k: "theirs" });
  expect(status.inventory?.entries.map(({ id }) => id)).toEqual(["anew_a__ConfigMap"]);
});

const writesTo = (namespace: string) =>
  world.requests
    .filter(
      ({ verb, namespace: of, resource }) =>
        of === namespace && !["get", "list", "watch"].includes(verb) && !/^(events|gitrepositories)/.test(resource),
    )
    .map(({ verb, resource, name }) => `${verb} ${resource} ${name}`);

test("only what changed is written, and keeps the commit that changed it; a commit elsewhere renders and writes nothing", async () => {
  const app = appIn(world, "quiet");
  const files = { "app/a.yaml": configMap("a", { k: "1" }), "app/b.yaml": configMap("b", { k: "1" }) };
  const first = app.source.commit(files);
  await app.create({ path: "./app" });
  await app.becomes(first, "True");
  const second = app.source.commit({ ...files, "app/b.yaml": configMap("b", { k: "2" }) });
  world.requests.length = 0;
  await app.poke();
  await app.becomes(second, "True");
  expect(writesTo("quiet")).toEqual(["patch configmaps b", "patch syncs/status app"]);
  const commitOf = async (name: string) => (await app.find("ConfigMap", name))?.metadata.annotations?.["serin.dev/commit"];
  expect([await commitOf("a"), await commitOf("b")]).toEqual([first, second]);

  expect(rendered).toContain("quiet");
  rendered.length = 0;
  world.requests.length = 0;
  const third = app.source.commit({ ...files, "app/b.yaml": configMap("b", { k: "2" }), "README.md": "x" });
  await app.poke();
  await eventually(async () => (lookedAt.has(third) ? true : undefined), () => `nobody looked at ${third}`);
  expect(writesTo("quiet")).toEqual([]);
  expect(rendered).not.toContain("quiet");
  expect((await app.sync()).status.lastAppliedRevision).toBe(`main@sha1:${second}`);
  // Who asks gets an answer that names the newest commit.
  const asked = { metadata: { annotations: { "serin.dev/requestedAt": "now" } } };
  await world.kube.patch(syncIn("quiet"), asked, { fieldManager: "test" }, signal);
  const { status } = await app.becomes(third, "True");
  expect(status).toMatchObject({ lastHandledReconcileAt: "now", lastAppliedRevision: `main@sha1:${third}` });
});

test("a thousand new ConfigMaps cost one write each, and a handful for the Sync", async () => {
  const app = appIn(world, "many");
  const file = (version: string) => Array.from({ length: 1_000 }, (_, index) => configMap(`m${index}`, { k: version })).join("---\n");
  app.source.commit({ "README.md": "x" });
  await app.create();
  await eventually(async () => ((await app.sync()).status?.conditions ? true : undefined), () => "the Sync was not seen");
  const first = app.source.commit({ "all.yaml": file("1") });
  world.requests.length = 0;
  await app.poke();
  await app.becomes(first, "True");
  const isOurs = (resource: string): boolean => resource === "gitrepositories" || resource === "syncs";
  const made = () =>
    world.requests.filter(({ namespace, verb, resource }) => namespace === "many" && verb !== "watch" && !isOurs(resource));
  expect(made().filter(({ resource }) => resource === "configmaps")).toHaveLength(1_000);
  expect(made().length).toBeLessThanOrEqual(1_010);
});

test("a change of which a run that was ended says nothing is nobody's drift", async () => {
  const own = await startWorld();
  try {
    const app = appIn(own, "ended");
    const first = app.source.commit({ "a.yaml": configMap("a", { k: "1" }) });
    await app.create();
    await app.becomes(first, "True");
    await own.stopControllers();
    // As if the process had been killed between the apply and the status.
    const ref = { apiVersion: "v1", kind: "ConfigMap", namespace: "ended", name: "a" };
    const a = await own.kube.get(ref, signal);
    const metadata = { ...a.metadata, annotations: { "serin.dev/commit": "f".repeat(40) } };
    const { resourceVersion: _, uid: __, creationTimestamp: ___, managedFields: ____, ...kept } = metadata;
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: kept, data: { k: "2" } };
    await own.kube.apply(object, { fieldManager: "serin-sync" }, signal);
    own.startControllers();
    const isBack = async () => ((await own.kube.get(ref, signal))["data"] as { k: string }).k === "1" || undefined;
    await eventually(isBack, () => "a stays changed");
    await eventually(async () => ((await app.events()).length > 1 ? true : undefined), () => "no event");
    expect((await app.events()).filter((event) => event.includes("DriftCorrected"))).toEqual([]);
  } finally {
    await own.close();
  }
});

test("drift is put back at once, and the event names the field and who did it", async () => {
  const app = appIn(world, "drift");
  const first = app.source.commit({ "a.yaml": configMap("a", { k: "1", l: "1" }) });
  await app.create();
  await app.becomes(first, "True");
  const ref = { apiVersion: "v1", kind: "ConfigMap", namespace: "drift", name: "a" };
  const said = (text: string) =>
    eventually(
      async () => ((await app.events()).some((event) => event.includes(text)) ? true : undefined),
      () => `no event with ${text}`,
    );

  await world.kube.patch(ref, { data: { k: "hacked" } }, { fieldManager: "mallory" }, signal);
  const data = async () => ((await app.find("ConfigMap", "a")) ?? {})["data" as never] as Record<string, string> | undefined;
  await eventually(async () => (await data())?.["k"] === "1" || undefined, () => "not put back");
  await said("ConfigMap/drift/a was changed in the cluster (data.k by mallory) and is put back");

  await world.kube.patch(ref, { data: { extra: "x" } }, { fieldManager: "kubectl-edit" }, signal);
  await eventually(async () => (await data())?.["extra"] === undefined || undefined, () => "extra key stays");
  await said("ConfigMap/drift/a was changed in the cluster (data.extra by kubectl-edit) and is put back");

  await world.kube.patch(ref, { metadata: { annotations: { theirs: "1" } } }, { fieldManager: "some-controller" }, signal);
  await world.kube.delete(ref, {}, signal);
  await eventually(async () => app.find("ConfigMap", "a"), () => "not created again");
  await said("ConfigMap/drift/a was deleted in the cluster and is created again");
  expect((await app.find("ConfigMap", "a"))?.metadata.annotations?.["serin.dev/commit"]).toBe(first);
});

test("what was applied with kubectl before is taken over: what Git does not say goes away", async () => {
  const app = appIn(world, "takeover");
  const first = app.source.commit({ "a.yaml": configMap("a", { k: "1" }) });
  await world.kube.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "takeover" } }, { fieldManager: "test" }, signal);
  const old = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace: "takeover", name: "a", annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}" } },
    data: { k: "0", gone: "x" },
  };
  await world.kube.create(old, { fieldManager: "kubectl-client-side-apply" }, signal);
  await app.create();
  await app.becomes(first, "True");
  const a = await app.find("ConfigMap", "a");
  expect(a?.["data"]).toEqual({ k: "1" });
  expect(a?.metadata.annotations).toEqual({ "serin.dev/commit": first });
});

test("one bad object of many: all errors are told with file and line, and nothing is written", async () => {
  const app = appIn(world, "atomic");
  const good = app.source.commit({ "a.yaml": configMap("a", { k: "1" }) });
  await app.create();
  await app.becomes(good, "True");
  const bad = app.source.commit({
    "a.yaml": configMap("a", { k: "2" }),
    "b.yaml": `${configMap("b", { k: "1" })}---\n${configMap("Not_A_Name", { k: "1" })}`,
    "c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndta: {k: v}\n",
    "d.yaml": "apiVersion: nobody.dev/v1\nkind: Nothing\nmetadata: {name: d}\n",
  });
  await app.poke();
  const { message } = await app.becomes(bad, "False", "ReconciliationFailed");
  expect(message).toContain("ConfigMap/atomic/Not_A_Name (b.yaml:8): ");
  expect(message).toMatch(/ConfigMap\/atomic\/c \(c\.yaml:1\): .*\.dta: field not declared in schema/);
  expect(message).toContain("Nothing/atomic/d (d.yaml:1): the cluster has no kind Nothing in nobody.dev/v1");
  expect((await app.find("ConfigMap", "a"))?.["data"]).toEqual({ k: "1" });
  expect(await app.find("ConfigMap", "b")).toBeUndefined();

  const mended = app.source.commit({ "a.yaml": configMap("a", { k: "3" }) });
  await app.poke();
  const { status } = await app.becomes(mended, "True");
  expect(status.inventory?.entries.map(({ id }) => id)).toEqual(["atomic_a__ConfigMap"]);
});

test("killed in the middle and reverted before the restart: nothing is left behind", async () => {
  const own = await startWorld();
  try {
    const app = appIn(own, "killed");
    const files = { "keep.yaml": configMap("keep", { k: "1" }) };
    const first = app.source.commit(files);
    await app.create();
    await app.becomes(first, "True");
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`m${index}.yaml`, configMap(`m${index}`, { k: "1" })]));
    app.source.commit({ ...files, ...many });
    await app.poke();
    const listed = () => own.kube.list({ apiVersion: "v1", kind: "ConfigMap" }, { namespace: "killed" }, signal);
    await eventually(async () => ((await listed()).length > 5 ? true : undefined), () => "nothing was applied");
    await own.stopControllers();
    expect((await listed()).length).toBeLessThan(201);
    const reverted = app.source.commit({ ...files, "README.md": "reverted" });
    own.startControllers();
    await app.poke();
    await app.becomes(reverted, "True");
    await eventually(async () => ((await listed()).length === 1 ? true : undefined), () => "orphans are left");
  } finally {
    await own.close();
  }
});

test("a Service that leaves Git stays while it serves what a route of somebody else sends it", async () => {
  const app = appIn(world, "served");
  const web = "apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { ports: [{ port: 80 }] }\n";
  const first = app.source.commit({ "a.yaml": configMap("a", { k: "1" }), "web.yaml": web });
  await app.create();
  await app.becomes(first, "True");
  const apply = (object: object) => world.kube.apply(object as KubeObject, { fieldManager: "somebody" }, signal);
  const slice = (name: string, more: object) => {
    const metadata = { namespace: "served", name, labels: { "kubernetes.io/service-name": "web" } };
    return apply({ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata, addressType: "IPv4", ports: [], ...more });
  };
  const endpoints = (ready: boolean) => ({ endpoints: [{ addresses: ["10.0.0.1"], conditions: { ready } }] });
  const backend = { service: { name: "web", port: { number: 80 } } };
  const ingress = { apiVersion: "networking.k8s.io/v1", kind: "Ingress", metadata: { namespace: "served", name: "in" } };
  await apply({ ...ingress, spec: { defaultBackend: backend } });
  await slice("web-1", endpoints(true));
  await slice("web-2", {});
  const second = app.source.commit({ "a.yaml": configMap("a", { k: "2" }) });
  await app.poke();
  const { message } = await app.becomes(second, "False");
  expect(message).toContain("Ingress/served/in still sends requests to it");
  expect(await app.find("Service", "web")).toBeDefined();
  await slice("web-1", endpoints(false));
  await app.poke();
  await app.becomes(second, "True");
  expect(await app.find("Service", "web")).toBeUndefined();
});
