import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiServer, startApiServer } from "./api-server.ts";
import type { RequestInfo } from "./serve.ts";
import { type Body, type TestClient, testClient } from "./test-client.ts";

let server: ApiServer;
let client: TestClient;
const seen: RequestInfo[] = [];
beforeAll(async () => {
  server = await startApiServer({
    onRequest: (request) => void seen.push(request),
    authorize: (user, verb, resource) => user !== "system:serviceaccount:shop:reader" || (verb === "get" && resource === "configmaps"),
    podLog: ({ name, tailLines }) => (name === "talks" ? `last ${tailLines ?? "all"}\n` : undefined),
  });
  client = testClient(server);
});
afterAll(async () => {
  await client.close();
  await server.close();
});

const core = "/api/v1/namespaces/default";
const apps = "/apis/apps/v1/namespaces/default";
const deployment = (name: string, spec: object = {}): Body => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "app", image: "nginx:1" }] } },
    ...spec,
  },
});
const configMap = (name: string, rest: object = {}): Body => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, ...rest });

async function until<T>(read: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 5000;
  for (;;) {
    const value = await read();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error("nothing happened in 5 s");
    await new Promise((resolve) => setImmediate(resolve));
  }
}
const gone = (path: string): Promise<true> => until(async () => ((await client.get(path)).code === 404 ? true : undefined));

const reasons: Record<number, string> = { 400: "BadRequest", 404: "NotFound", 422: "Invalid" };

describe("what the real API server answers", () => {
  test.each<[string, () => ReturnType<TestClient["get"]>, number, string]>([
    ["an unknown object", () => client.get(`${apps}/deployments/nope`), 404, 'deployments.apps "nope" not found'],
    ["an unknown kind", () => client.get(`${core}/foos`), 404, "the server could not find the requested resource"],
    [
      "a namespace that is not there",
      () => client.post("/apis/apps/v1/namespaces/nope/deployments", deployment("a")),
      404,
      'namespaces "nope" not found',
    ],
    [
      "unknown and duplicate fields",
      () =>
        client.post(
          `${apps}/deployments?fieldValidation=Strict`,
          '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"n"},"spec":{"foo":1,"replicas":1,"replicas":2,"selector":{}}}',
        ),
      400,
      'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.foo", duplicate field "spec.replicas"',
    ],
    [
      "an unknown field deep inside",
      () =>
        client.post(
          `${apps}/deployments?fieldValidation=Strict`,
          deployment("n", { template: { spec: { containers: [{ name: "a", image: "b", foo: 1 }] } } }),
        ),
      400,
      'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.template.spec.containers[0].foo"',
    ],
    [
      "a value of the wrong type",
      () => client.post(`${apps}/deployments`, deployment("n", { replicas: "x" })),
      400,
      'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      "a bad name, bad replicas and nothing else",
      () =>
        client.post(`${apps}/deployments`, { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "N_" }, spec: { replicas: -1 } }),
      422,
      "Deployment.apps \"N_\" is invalid: [metadata.name: Invalid value: \"N_\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.replicas: Invalid value: -1: must be greater than or equal to 0, spec.selector: Required value, spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`, spec.template.spec.containers: Required value]",
    ],
    [
      "a selector that does not fit, no image, a bad port, a missing volume",
      () =>
        client.post(
          `${apps}/deployments`,
          deployment("n", {
            selector: { matchLabels: { a: "b" } },
            template: {
              metadata: { labels: { a: "c" } },
              spec: {
                containers: [
                  { name: "x", ports: [{ containerPort: 70000 }] },
                  { name: "x", image: "i", volumeMounts: [{ name: "v", mountPath: "/x" }] },
                ],
                restartPolicy: "Never",
              },
            },
          }),
        ),
      422,
      'Deployment.apps "n" is invalid: [spec.template.metadata.labels: Invalid value: {"a":"c"}: `selector` does not match template `labels`, spec.template.spec.containers[0].image: Required value, spec.template.spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive, spec.template.spec.containers[1].volumeMounts[0].name: Not found: "v", spec.template.spec.containers[1].name: Duplicate value: "x", spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"]',
    ],
    [
      "three digits after a Lease's second",
      () =>
        client.post("/apis/coordination.k8s.io/v1/namespaces/default/leases", {
          metadata: { name: "n" },
          spec: { renewTime: "2026-01-01T00:00:00.123Z" },
        }),
      400,
      'Lease in version "v1" cannot be handled as a Lease: parsing time "2026-01-01T00:00:00.123Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse ".123Z" as ".000000"',
    ],
    [
      "a Secret that is not base64",
      () => client.post(`${core}/secrets`, { metadata: { name: "s" }, data: { a: "b" } }),
      400,
      'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0',
    ],
    [
      "a Service without ports",
      () => client.post(`${core}/services`, { metadata: { name: "s" }, spec: {} }),
      422,
      'Service "s" is invalid: spec.ports: Required value',
    ],
    [
      "a namespace with a dot",
      () => client.post("/api/v1/namespaces", { metadata: { name: "z.z" } }),
      422,
      'Namespace "z.z" is invalid: metadata.name: Invalid value: "z.z": must not contain dots',
    ],
    [
      "another namespace in the body",
      () => client.post(`${core}/configmaps`, configMap("c", { metadata: { name: "c", namespace: "other" } })),
      400,
      "the namespace of the provided object does not match the namespace sent on the request",
    ],
    [
      "no name",
      () => client.post(`${core}/configmaps`, { metadata: {} }),
      422,
      'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
    ],
    [
      "a field that cannot be selected",
      () => client.get(`${core}/configmaps?fieldSelector=spec.foo=1`),
      400,
      '"spec.foo" is not a known field selector: only "metadata.name", "metadata.namespace"',
    ],
  ])("%s", async (_, ask, code, message) => {
    const { code: got, body } = await ask();
    expect({ code: got, kind: body.kind, reason: body.reason, message: body.message }).toEqual({
      code,
      kind: "Status",
      reason: reasons[code],
      message,
    });
  });

  test("names every wrong field in details.causes", async () => {
    const { body } = await client.post(`${apps}/deployments`, deployment("c", { replicas: -1 }));
    expect(body.details).toEqual({
      name: "c",
      group: "apps",
      kind: "Deployment",
      causes: [{ reason: "FieldValueInvalid", message: "Invalid value: -1: must be greater than or equal to 0", field: "spec.replicas" }],
    });
  });

  test("warns of unknown fields when it is not told to be strict", async () => {
    const { code, warnings } = await client.post(`${core}/configmaps?dryRun=All`, configMap("warned", { foo: 1 }));
    expect(code).toBe(201);
    expect(warnings).toEqual(['299 - "unknown field \\"foo\\""']);
  });
});

describe("an object's life", () => {
  test("defaults are filled in as users see them", async () => {
    const { body } = await client.post(`${apps}/deployments`, deployment("defaults"));
    expect(body.spec).toMatchObject({
      replicas: 1,
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "25%", maxSurge: "25%" } },
    });
    expect(body.spec.template.spec).toMatchObject({
      restartPolicy: "Always",
      dnsPolicy: "ClusterFirst",
      schedulerName: "default-scheduler",
      terminationGracePeriodSeconds: 30,
    });
    expect(body.spec.template.spec.containers[0]).toEqual({
      name: "app",
      image: "nginx:1",
      imagePullPolicy: "IfNotPresent",
      resources: {},
      terminationMessagePath: "/dev/termination-log",
      terminationMessagePolicy: "File",
    });
    const service = await client.post(`${core}/services`, { metadata: { name: "defaults" }, spec: { ports: [{ port: 80 }] } });
    expect(service.body.spec).toMatchObject({
      type: "ClusterIP",
      sessionAffinity: "None",
      ports: [{ port: 80, protocol: "TCP", targetPort: 80 }],
    });
    expect(service.body.spec.clusterIP).toMatch(/^10\.96\./);
  });

  test("generation counts changes of the spec only", async () => {
    await client.post(`${apps}/deployments`, deployment("counted"));
    const path = `${apps}/deployments/counted`;
    const generation = async (): Promise<number> => (await client.get(path)).body.metadata.generation;
    await client.patch(path, "merge", { metadata: { labels: { a: "b" } } });
    await client.patch(`${path}/status`, "merge", { status: { replicas: 1, observedGeneration: 1 } });
    expect(await generation()).toBe(1);
    await client.patch(path, "merge", { spec: { replicas: 3 }, status: { replicas: 9 } });
    const { body } = await client.get(path);
    expect({ generation: body.metadata.generation, status: body.status.replicas }).toEqual({ generation: 2, status: 1 });
  });

  test("a status write leaves spec and labels alone", async () => {
    await client.post(`${apps}/deployments`, deployment("status"));
    const { body } = await client.patch(`${apps}/deployments/status/status`, "merge", {
      metadata: { labels: { no: "no" } },
      spec: { replicas: 7 },
      status: { replicas: 2 },
    });
    expect({ labels: body.metadata.labels, replicas: body.spec.replicas, status: body.status.replicas }).toEqual({
      labels: undefined,
      replicas: 1,
      status: 2,
    });
  });

  test("a write that changes nothing keeps the revision", async () => {
    const { body: made } = await client.post(`${core}/configmaps`, configMap("still", { data: { a: "b" } }));
    const { body } = await client.patch(`${core}/configmaps/still`, "merge", { data: { a: "b" } });
    expect(body.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
  });

  test("a write on an old revision is a conflict", async () => {
    const { body: made } = await client.post(`${core}/configmaps`, configMap("old", { data: { a: "1" } }));
    await client.patch(`${core}/configmaps/old`, "merge", { data: { a: "2" } });
    const { code, body } = await client.put(`${core}/configmaps/old`, { ...made, data: { a: "3" } });
    expect({ code, reason: body.reason, message: body.message }).toEqual({
      code: 409,
      reason: "Conflict",
      message:
        'Operation cannot be fulfilled on configmaps "old": the object has been modified; please apply your changes to the latest version and try again',
    });
  });

  test("a dry run answers like the write and stores nothing", async () => {
    const { code } = await client.post(`${core}/configmaps?dryRun=All`, configMap("dry"));
    expect([code, (await client.get(`${core}/configmaps/dry`)).code]).toEqual([201, 404]);
  });

  test("a delete with a wrong uid or revision is a conflict, naming both", async () => {
    const { body: made } = await client.post(`${core}/configmaps`, configMap("guarded"));
    const byUid = await client.delete(`${core}/configmaps/guarded`, { preconditions: { uid: "1" } });
    expect(byUid.body.message).toBe(
      `Operation cannot be fulfilled on ConfigMap "guarded": the UID in the precondition (1) does not match the UID in record (${made.metadata.uid}). The object might have been deleted and then recreated`,
    );
    expect((await client.delete(`${core}/configmaps/guarded`, { preconditions: { resourceVersion: "1" } })).code).toBe(409);
    expect((await client.delete(`${core}/configmaps/guarded`, { preconditions: { uid: made.metadata.uid } })).body.status).toBe("Success");
  });

  test("an object with finalizers stays until the last is gone, and gets no new ones", async () => {
    await client.post(`${core}/configmaps`, configMap("held", { metadata: { name: "held", finalizers: ["a.b/c"] } }));
    const path = `${core}/configmaps/held`;
    expect((await client.delete(path)).body.metadata.deletionTimestamp).toBeDefined();
    const refused = await client.patch(path, "merge", { metadata: { finalizers: ["a.b/c", "d.e/f"] } });
    expect(refused.body.message).toContain("no new finalizers can be added if the object is being deleted");
    await client.patch(path, "merge", { metadata: { finalizers: null } });
    expect((await client.get(path)).code).toBe(404);
  });

  test("generateName makes a name", async () => {
    const { body } = await client.post(`${core}/configmaps`, { metadata: { generateName: "made-" } });
    expect(body.metadata.name).toMatch(/^made-[a-z0-9]{5}$/);
  });

  test("stringData becomes data", async () => {
    const { body } = await client.post(`${core}/secrets`, { metadata: { name: "plain" }, stringData: { a: "b" } });
    expect({ data: body.data, stringData: body.stringData, type: body.type }).toEqual({
      data: { a: "Yg==" },
      stringData: undefined,
      type: "Opaque",
    });
  });

  test("a pod is given time to stop once it runs somewhere", async () => {
    await client.post(`${core}/pods`, { metadata: { name: "bound" }, spec: { containers: [{ name: "a", image: "b" }] } });
    const path = `${core}/pods/bound`;
    expect((await client.post(`${path}/binding`, { target: { kind: "Node", name: "n1" } })).code).toBe(201);
    const again = await client.post(`${path}/binding`, { target: { kind: "Node", name: "n2" } });
    expect(again.body.message).toBe('Operation cannot be fulfilled on pods/binding "bound": pod bound is already assigned to node "n1"');
    expect((await client.delete(path)).body.metadata.deletionGracePeriodSeconds).toBe(30);
    expect((await client.get(path)).code).toBe(200);
    await client.delete(`${path}?gracePeriodSeconds=0`);
    expect((await client.get(path)).code).toBe(404);
  });

  test("a pod's logs come from the sandbox, or are not implemented", async () => {
    for (const name of ["talks", "silent"])
      await client.post(`${core}/pods`, { metadata: { name }, spec: { containers: [{ name: "a", image: "b" }] } });
    expect((await client.get(`${core}/pods/talks/log?tailLines=3`)).body).toBe("last 3\n");
    expect((await client.get(`${core}/pods/silent/log`)).code).toBe(501);
  });

  test("scale reads and writes replicas", async () => {
    await client.post(`${apps}/deployments`, deployment("scaled"));
    const { body } = await client.patch(`${apps}/deployments/scaled/scale`, "merge", { spec: { replicas: 4 } });
    expect({ kind: body.kind, spec: body.spec, selector: body.status.selector }).toEqual({
      kind: "Scale",
      spec: { replicas: 4 },
      selector: "app=scaled",
    });
    const { body: whole } = await client.get(`${apps}/deployments/scaled`);
    expect(whole.metadata.managedFields.map(({ subresource }: Body) => subresource)).toEqual(["scale", undefined]);
  });
});

describe("owners and namespaces", () => {
  const owned = (name: string, owner: Body, blockOwnerDeletion = true): Body =>
    configMap(name, {
      metadata: {
        name,
        ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: owner.metadata.name, uid: owner.metadata.uid, blockOwnerDeletion }],
      },
    });

  test.each(["Background", "Foreground"])("what belongs to an object goes with it (%s)", async (propagationPolicy) => {
    const name = propagationPolicy.toLowerCase();
    const { body: owner } = await client.post(`${core}/configmaps`, configMap(name));
    await client.post(`${core}/configmaps`, owned(`${name}-child`, owner));
    await client.delete(`${core}/configmaps/${name}`, { propagationPolicy });
    expect(await gone(`${core}/configmaps/${name}-child`)).toBe(true);
    expect(await gone(`${core}/configmaps/${name}`)).toBe(true);
  });

  test("orphans stay and forget their owner", async () => {
    const { body: owner } = await client.post(`${core}/configmaps`, configMap("parent"));
    await client.post(`${core}/configmaps`, owned("orphan", owner));
    await client.delete(`${core}/configmaps/parent`, { propagationPolicy: "Orphan" });
    expect((await client.get(`${core}/configmaps/orphan`)).body.metadata.ownerReferences).toBeUndefined();
  });

  test("an owner that never was takes its dependents along", async () => {
    await client.post(`${core}/configmaps`, owned("astray", configMap("never", { metadata: { name: "never", uid: "no-such-uid" } })));
    expect(await gone(`${core}/configmaps/astray`)).toBe(true);
  });

  test("a deleted namespace is emptied first", async () => {
    await client.post("/api/v1/namespaces", { metadata: { name: "short" } });
    await client.post("/api/v1/namespaces/short/configmaps", configMap("inside"));
    expect((await client.delete("/api/v1/namespaces/short")).body.status.phase).toBe("Terminating");
    const late = await client.post("/api/v1/namespaces/short/configmaps", configMap("late"));
    expect([403, 404]).toContain(late.code);
    await gone("/api/v1/namespaces/short");
    await client.post("/api/v1/namespaces", { metadata: { name: "short" } });
    expect((await client.get("/api/v1/namespaces/short/configmaps")).body.items).toEqual([]);
  });

  test("kube-system has a uid", async () => {
    expect((await client.get("/api/v1/namespaces/kube-system")).body.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe("lists and watches", () => {
  beforeAll(async () => {
    await client.post("/api/v1/namespaces", { metadata: { name: "watched" } });
    for (const name of ["a", "b", "c"])
      await client.post("/api/v1/namespaces/watched/configmaps", configMap(name, { metadata: { name, labels: { name } } }));
  });
  const path = "/api/v1/namespaces/watched/configmaps";
  const names = ({ body }: { body: Body }): string[] => body.items.map(({ metadata }: Body) => metadata.name);

  test("a list comes in pages", async () => {
    const first = await client.get(`${path}?limit=2`);
    expect([names(first), first.body.metadata.remainingItemCount]).toEqual([["a", "b"], 1]);
    const second = await client.get(`${path}?limit=2&continue=${first.body.metadata.continue}`);
    expect([names(second), second.body.metadata.continue]).toEqual([["c"], undefined]);
  });

  test.each([
    ["labelSelector=name%20in%20(a,c)", ["a", "c"]],
    ["labelSelector=name!=a", ["b", "c"]],
    ["labelSelector=!name", []],
    ["fieldSelector=metadata.name=b", ["b"]],
    ["labelSelector=name&fieldSelector=metadata.name!=b", ["a", "c"]],
  ])("%s selects %j", async (query, expected) => {
    expect(names(await client.get(`${path}?${query}`))).toEqual(expected);
  });

  test("a watch without a revision starts with what there is", async () => {
    const events = await client.watch(`${path}?watch=1`, 3);
    expect(events.map(({ type, object }) => [type, object.metadata.name])).toEqual([
      ["ADDED", "a"],
      ["ADDED", "b"],
      ["ADDED", "c"],
    ]);
  });

  test("a watch from a revision gives every change after it, in order", async () => {
    const { body } = await client.get(path);
    await client.patch(`${path}/a`, "merge", { data: { x: "1" } });
    await client.delete(`${path}/a`);
    await client.post(path, configMap("a", { metadata: { name: "a", labels: { name: "a" } } }));
    const events = await client.watch(`${path}?watch=true&resourceVersion=${body.metadata.resourceVersion}`, 3);
    expect(events.map(({ type }) => type)).toEqual(["MODIFIED", "DELETED", "ADDED"]);
  });

  test("an object that leaves or enters the selector is deleted or added for the watch", async () => {
    const { body } = await client.get(path);
    await client.patch(`${path}/b`, "merge", { metadata: { labels: { name: "z" } } });
    await client.patch(`${path}/b`, "merge", { metadata: { labels: { name: "b" } } });
    const events = await client.watch(`${path}?watch=true&labelSelector=name=b&resourceVersion=${body.metadata.resourceVersion}`, 2);
    expect(events.map(({ type }) => type)).toEqual(["DELETED", "ADDED"]);
  });

  test("initial events end with a bookmark that says so", async () => {
    const events = await client.watch(
      `${path}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
      4,
    );
    expect(events[3]).toMatchObject({ type: "BOOKMARK", object: { metadata: { annotations: { "k8s.io/initial-events-end": "true" } } } });
  });

  test("a watch ends after timeoutSeconds", async () => {
    const { body } = await client.get(path);
    expect(await client.watch(`${path}?watch=1&timeoutSeconds=1&resourceVersion=${body.metadata.resourceVersion}`, 99)).toEqual([]);
  });

  test("a revision that history no longer holds is 410", async () => {
    const { body } = await client.get(path);
    const page = await client.get(`${path}?limit=1`);
    await client.patch(`${path}/c`, "merge", { data: { y: "1" } });
    server.compact();
    const [event] = await client.watch(`${path}?watch=1&resourceVersion=${body.metadata.resourceVersion}`, 1);
    expect(event).toMatchObject({ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } });
    expect((await client.get(`${path}?limit=1&continue=${page.body.metadata.continue}`)).code).toBe(410);
  });
});

describe("who asks", () => {
  const reader = { "impersonate-user": "system:serviceaccount:shop:reader" };

  test("an impersonated user is held to what it may do", async () => {
    expect((await client.get(`${core}/secrets`, reader)).body.message).toBe(
      'secrets is forbidden: User "system:serviceaccount:shop:reader" cannot list resource "secrets" in API group "" in the namespace "default"',
    );
    expect((await client.get(`${core}/configmaps/nope`, reader)).code).toBe(404);
  });

  test("every request is told to the audit hook", async () => {
    seen.length = 0;
    await client.patch(`${apps}/deployments/nope/status?dryRun=All`, "merge", {});
    expect(seen).toEqual([
      {
        user: "system:admin",
        verb: "patch",
        group: "apps",
        resource: "deployments/status",
        namespace: "default",
        name: "nope",
        dryRun: true,
      },
    ]);
  });
});

describe("patches", () => {
  test("a strategic merge patch merges lists by their keys and obeys directives", async () => {
    const spec = {
      containers: [
        {
          name: "a",
          image: "a:1",
          env: [
            { name: "A", value: "1" },
            { name: "B", value: "2" },
          ],
        },
      ],
    };
    await client.post(`${apps}/deployments`, deployment("strategic", { template: { metadata: { labels: { app: "strategic" } }, spec } }));
    const patch = {
      spec: {
        template: {
          spec: {
            "$setElementOrder/containers": [{ name: "n" }, { name: "a" }],
            containers: [
              { name: "n", image: "n:1" },
              {
                name: "a",
                env: [
                  { name: "B", $patch: "delete" },
                  { name: "C", value: "3" },
                ],
              },
            ],
          },
        },
      },
    };
    const { body } = await client.patch(`${apps}/deployments/strategic`, "strategic", patch);
    const containers = body.spec.template.spec.containers.map(({ name, env = [] }: Body) => [
      name,
      env.map(({ name: variable }: Body) => variable),
    ]);
    expect(containers).toEqual([
      ["n", []],
      ["a", ["A", "C"]],
    ]);
  });

  test("a JSON patch that does not fit is refused whole", async () => {
    await client.post(`${core}/configmaps`, configMap("patched", { data: { a: "1" } }));
    const good = await client.patch(`${core}/configmaps/patched`, "json", [
      { op: "test", path: "/data/a", value: "1" },
      { op: "add", path: "/metadata/annotations", value: { "b/c": "2" } },
      { op: "replace", path: "/metadata/annotations/b~1c", value: "3" },
      { op: "move", from: "/data/a", path: "/data/d" },
    ]);
    expect([good.body.data, good.body.metadata.annotations]).toEqual([{ d: "1" }, { "b/c": "3" }]);
    const bad = await client.patch(`${core}/configmaps/patched`, "json", [
      { op: "remove", path: "/data/d" },
      { op: "test", path: "/metadata/annotations/b~1c", value: "9" },
    ]);
    expect([bad.code, (await client.get(`${core}/configmaps/patched`)).body.data]).toEqual([422, { d: "1" }]);
  });
});
