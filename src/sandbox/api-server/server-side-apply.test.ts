import { afterEach, beforeEach, expect, test } from "vitest";
import { type ApiServer, startApiServer } from "./api-server.ts";
import { type Body, type TestClient, testClient } from "./test-client.ts";

// Every expectation here was compared with kube-apiserver 1.36.3, request by request.
let server: ApiServer;
let client: TestClient;
beforeEach(async () => {
  server = await startApiServer();
  client = testClient(server);
});
afterEach(async () => {
  await client.close();
  await server.close();
});

const path = "/apis/apps/v1/namespaces/default/deployments/web";
const selector = { matchLabels: { app: "web" } };
const template = (containers: Body[]): Body => ({ metadata: { labels: { app: "web" } }, spec: { containers } });
const config = (spec: Body, metadata: Body = {}): Body => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", ...metadata },
  spec,
});
const app = {
  name: "app",
  image: "shop:1",
  env: [
    { name: "A", value: "1" },
    { name: "B", value: "2" },
  ],
};
const whole = (): Body =>
  config(
    { replicas: 2, selector, template: template([app, { name: "side", image: "side:1" }]) },
    { labels: { x: "1", y: "2" }, annotations: { q: "r" } },
  );
const ownerOf = (object: Body, manager: string): Body => object.metadata.managedFields.find((entry: Body) => entry.manager === manager);

test("an apply creates, and owns what it says and nothing that was filled in", async () => {
  const { code, body } = await client.apply(path, "one", whole());
  expect(code).toBe(201);
  expect(ownerOf(body, "one")).toMatchObject({
    operation: "Apply",
    apiVersion: "apps/v1",
    fieldsType: "FieldsV1",
    fieldsV1: {
      "f:metadata": { "f:annotations": { "f:q": {} }, "f:labels": { "f:x": {}, "f:y": {} } },
      "f:spec": {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {
          "f:metadata": { "f:labels": { "f:app": {} } },
          "f:spec": {
            "f:containers": {
              'k:{"name":"app"}': {
                ".": {},
                "f:env": {
                  'k:{"name":"A"}': { ".": {}, "f:name": {}, "f:value": {} },
                  'k:{"name":"B"}': { ".": {}, "f:name": {}, "f:value": {} },
                },
                "f:image": {},
                "f:name": {},
              },
              'k:{"name":"side"}': { ".": {}, "f:image": {}, "f:name": {} },
            },
          },
        },
      },
    },
  });
});

test("ports are told apart by number and protocol, with the default protocol in the key", async () => {
  const { body } = await client.apply(
    path,
    "one",
    config({ selector, template: template([{ ...app, ports: [{ containerPort: 80 }, { containerPort: 80, protocol: "UDP" }] }]) }),
  );
  const { "f:ports": ports } = ownerOf(body, "one").fieldsV1["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"app"}'];
  expect(Object.keys(ports)).toEqual(['k:{"containerPort":80,"protocol":"TCP"}', 'k:{"containerPort":80,"protocol":"UDP"}']);
});

test("applying the same again changes nothing, not even the revision", async () => {
  const first = await client.apply(path, "one", whole());
  const again = await client.apply(path, "one", whole());
  expect([again.code, again.body]).toEqual([200, first.body]);
});

test("a field of another applier with another value is a conflict that names both", async () => {
  await client.apply(path, "one", whole());
  const { code, body } = await client.apply(
    path,
    "two",
    config({ replicas: 3, template: { spec: { containers: [{ name: "app", image: "shop:2" }] } } }),
  );
  expect({ code, reason: body.reason, message: body.message, causes: body.details.causes }).toEqual({
    code: 409,
    reason: "Conflict",
    message: 'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.replicas\n- .spec.template.spec.containers[name="app"].image',
    causes: [
      { reason: "FieldManagerConflict", message: 'conflict with "one"', field: ".spec.replicas" },
      { reason: "FieldManagerConflict", message: 'conflict with "one"', field: '.spec.template.spec.containers[name="app"].image' },
    ],
  });
});

test.each([
  ["an ordinary write", "", 'Apply failed with 1 conflict: conflict with "someone" using apps/v1: .spec.replicas'],
  [
    "a write to scale",
    "/scale",
    'Apply failed with 1 conflict: conflict with "someone" with subresource "scale" using apps/v1: .spec.replicas',
  ],
])("%s takes a field over, and the applier meets a conflict", async (_, subresource, message) => {
  await client.apply(path, "one", whole());
  await client.patch(`${path}${subresource}?fieldManager=someone`, "merge", { spec: { replicas: 5 } });
  expect((await client.apply(path, "one", whole())).body.message).toBe(message);
});

test("force takes the field and leaves the rest to its owner", async () => {
  await client.apply(path, "one", whole());
  const { body } = await client.apply(path, "two", config({ replicas: 7 }), "&force=true");
  expect(body.spec.replicas).toBe(7);
  expect(ownerOf(body, "one").fieldsV1["f:spec"]["f:replicas"]).toBeUndefined();
  expect(ownerOf(body, "two").fieldsV1).toEqual({ "f:spec": { "f:replicas": {} } });
});

test("the same value is shared, and stays while one of the owners says it", async () => {
  await client.apply(path, "one", whole());
  const shared = await client.apply(path, "two", config({ replicas: 2 }, { labels: { x: "1" } }));
  expect(shared.code).toBe(200);
  const { body } = await client.apply(path, "one", config({ selector, template: template([app]) }));
  expect({ replicas: body.spec.replicas, labels: body.metadata.labels, annotations: body.metadata.annotations }).toEqual({
    replicas: 2,
    labels: { x: "1" },
    annotations: undefined,
  });
});

test("what a manager drops and nobody else owns is removed, item by item", async () => {
  await client.apply(path, "one", whole());
  const { body } = await client.apply(
    path,
    "one",
    config(
      { replicas: 2, selector, template: template([{ name: "app", image: "shop:1", env: [{ name: "B", value: "3" }] }]) },
      { labels: { x: "1" } },
    ),
  );
  expect(body.spec.template.spec.containers.map(({ name, env }: Body) => ({ name, env }))).toEqual([
    { name: "app", env: [{ name: "B", value: "3" }] },
  ]);
  expect([body.metadata.labels, body.metadata.annotations]).toEqual([{ x: "1" }, undefined]);
});

test("another manager's items stay when ours go", async () => {
  await client.apply(path, "one", whole());
  await client.apply(path, "mesh", config({ template: { spec: { containers: [{ name: "proxy", image: "envoy:1" }] } } }));
  const { body } = await client.apply(path, "one", config({ selector, template: template([app]) }));
  expect(body.spec.template.spec.containers.map(({ name }: Body) => name).toSorted()).toEqual(["app", "proxy"]);
});

test("dropping a field that has a default gives it its default", async () => {
  await client.apply(path, "one", whole());
  const { body } = await client.apply(path, "one", config({ selector, template: template([app]) }));
  expect(body.spec.replicas).toBe(1);
});

test("status is owned apart from the rest", async () => {
  await client.apply(path, "one", whole());
  const { body } = await client.patch(`${path}/status?fieldManager=ctl`, "merge", {
    status: { replicas: 3, conditions: [{ type: "Available", status: "True" }] },
  });
  expect(ownerOf(body, "ctl")).toMatchObject({
    operation: "Update",
    subresource: "status",
    fieldsV1: {
      "f:status": { "f:conditions": { ".": {}, 'k:{"type":"Available"}': { ".": {}, "f:status": {}, "f:type": {} } }, "f:replicas": {} },
    },
  });
  const applied = await client.apply(path, "one", { ...whole(), status: { replicas: 99 } });
  expect([applied.body.status.replicas, ownerOf(applied.body, "one").fieldsV1["f:status"]]).toEqual([3, undefined]);
});

test("ownership that was reset belongs to before-first-apply", async () => {
  await client.apply(path, "one", whole());
  const { body } = await client.patch(path, "merge", { metadata: { managedFields: [{}] } });
  expect(body.metadata.managedFields).toBeUndefined();
  const { body: refused } = await client.apply(path, "new", config({ replicas: 8 }));
  expect(refused.message).toBe('Apply failed with 1 conflict: conflict with "before-first-apply" using apps/v1: .spec.replicas');
});

test("a created object belongs to its creator, filled-in values included", async () => {
  const { body } = await client.post("/apis/apps/v1/namespaces/default/deployments?fieldManager=maker", whole());
  const fields = ownerOf(body, "maker").fieldsV1["f:spec"];
  expect(Object.keys(fields)).toEqual([
    "f:progressDeadlineSeconds",
    "f:replicas",
    "f:revisionHistoryLimit",
    "f:selector",
    "f:strategy",
    "f:template",
  ]);
  expect(fields["f:strategy"]).toEqual({ "f:rollingUpdate": { ".": {}, "f:maxSurge": {}, "f:maxUnavailable": {} }, "f:type": {} });
});

test("a dry run tells of conflicts and stores nothing", async () => {
  await client.apply(path, "one", whole());
  expect((await client.apply(path, "two", config({ replicas: 3 }), "&dryRun=All")).code).toBe(409);
  expect((await client.apply(path, "two", config({ replicas: 3 }), "&dryRun=All&force=true")).body.spec.replicas).toBe(3);
  expect((await client.get(path)).body.spec.replicas).toBe(2);
});

test("a body in YAML is read as YAML 1.1", async () => {
  const yaml =
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 0o2\n  paused: yes\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: app, image: i}]}\n";
  expect((await client.apply(path, "one", yaml.replace("0o2", "012"))).body.spec).toMatchObject({ replicas: 10, paused: true });
});

test.each([
  [
    "an unknown field",
    config({ foo: 3 }),
    500,
    "failed to create typed patch object (/web; apps/v1, Kind=Deployment): .spec.foo: field not declared in schema",
  ],
  [
    "a wrong type",
    config({ replicas: "x" }),
    500,
    "failed to create typed patch object (/web; apps/v1, Kind=Deployment): .spec.replicas: expected numeric (int or float), got string",
  ],
  [
    "the same container twice",
    config({ template: { spec: { containers: [{ name: "a" }, { name: "a" }] } } }),
    500,
    'failed to create typed patch object (/web; apps/v1, Kind=Deployment): .spec.template.spec.containers: duplicate entries for key [name="a"]',
  ],
  [
    "the same key twice",
    '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":1,"replicas":2}}',
    400,
    'error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 1: key "replicas" already set in map',
  ],
  ["managedFields of its own", config({}, { managedFields: [{ manager: "x" }] }), 400, "metadata.managedFields must be nil"],
])("%s is refused", async (_, body, code, message) => {
  const reply = await client.apply(path, "one", body, "&fieldValidation=Strict");
  expect({ code: reply.code, message: reply.body.message }).toEqual({ code, message });
});

test("an apply without a manager is refused", async () => {
  const reply = await client.apply(path, "", whole());
  expect(reply.body.message).toBe('PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch');
});
