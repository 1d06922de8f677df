import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { crdOf } from "../../api/crd.ts";
import { kinds } from "../../api/kinds.ts";
import { gatewayCrds } from "../gateway/crds.ts";
import { type ApiServer, startApiServer } from "./api-server.ts";
import { type Body, type TestClient, testClient } from "./test-client.ts";

let server: ApiServer;
let client: TestClient;
const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
beforeAll(async () => {
  server = await startApiServer();
  client = testClient(server);
  for (const crd of kinds.map(crdOf)) await client.apply(`${crds}/${crd.metadata.name}`, "test", crd);
});
afterAll(async () => {
  await client.close();
  await server.close();
});

const canaries = "/apis/serin.dev/v1beta1/namespaces/default/canaries";
const spec = {
  targetRef: { kind: "Deployment", name: "up" },
  service: { port: 80 },
  analysis: { stepWeight: 5, metrics: [{ name: "request-duration", thresholdRange: { max: 1 } }] },
};
const canary = (name: string, changes: object = {}): Body => ({
  apiVersion: "serin.dev/v1beta1",
  kind: "Canary",
  metadata: { name },
  spec: { ...spec, ...changes },
});
const skipped = {
  reason: "FieldValueInvalid",
  message:
    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
  field: "<nil>",
};
const causesOf = ({ body }: { body: Body }): Body[] => body.details.causes.map(({ field, message }: Body) => `${field}: ${message}`);

test("every rule of our own kinds is evaluated", () => {
  expect(server.unevaluatedRules()).toEqual([]);
});

test("a CRD is Established at once, and its kind is discovered", async () => {
  const { body } = await client.get(`${crds}/canaries.serin.dev`);
  expect(body.status.conditions.map(({ type, status }: Body) => `${type}=${status}`)).toEqual(["NamesAccepted=True", "Established=True"]);
  const { body: listed } = await client.get("/apis/serin.dev/v1beta1");
  expect(listed.resources.map(({ name }: Body) => name)).toContain("canaries/status");
  expect(
    (await client.get("/openapi/v3/apis/serin.dev/v1beta1")).body.components.schemas["dev.serin.v1beta1.Canary"].properties.spec.properties
      .analysis.description,
  ).toBe("How a new revision is judged and how its traffic grows.");
});

describe("what the real API server answers", () => {
  test("required fields", async () => {
    const reply = await client.post(canaries, { ...canary("a"), spec: {} });
    expect(reply.body.message).toBe(
      `Canary.serin.dev "a" is invalid: [spec.targetRef: Required value, spec.service: Required value, spec.analysis: Required value, <nil>: ${skipped.message}]`,
    );
    expect(reply.body.details.causes.at(-1)).toEqual(skipped);
  });

  test("types, enums, patterns, bounds, lengths and counts", async () => {
    const wrong = {
      provider: "x",
      targetRef: { kind: "Foo", name: "UP" },
      service: { port: 0, portName: "aaaaaaaaaaaaaaaa" },
      analysis: { threshold: 0, interval: "zz", maxWeight: 101, metrics: [] },
      suspend: "x",
    };
    expect(new Set(causesOf(await client.post(canaries, canary("a", wrong))))).toEqual(
      new Set([
        'spec.provider: Unsupported value: "x": supported values: "gatewayapi:v1", "nginx"',
        'spec.targetRef.kind: Unsupported value: "Foo": supported values: "Deployment"',
        "spec.targetRef.name: Invalid value: \"UP\": spec.targetRef.name in body should match '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$'",
        "spec.service.port: Invalid value: 0: spec.service.port in body should be greater than or equal to 1",
        "spec.service.portName: Too long: may not be more than 15 bytes",
        "spec.analysis.threshold: Invalid value: 0: spec.analysis.threshold in body should be greater than or equal to 1",
        "spec.analysis.interval: Invalid value: \"zz\": spec.analysis.interval in body should match '^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$'",
        "spec.analysis.maxWeight: Invalid value: 101: spec.analysis.maxWeight in body should be less than or equal to 100",
        "spec.analysis.metrics: Invalid value: 0: spec.analysis.metrics in body should have at least 1 items",
        'spec.suspend: Invalid value: "string": spec.suspend in body must be of type boolean: "string"',
        `<nil>: ${skipped.message}`,
      ]),
    );
  });

  test("rules across fields, with their own paths", async () => {
    const analysis = {
      interval: "1ms",
      stepWeights: [5, 3],
      iterations: 2,
      metrics: [
        { name: "x", thresholdRange: {} },
        { name: "request-duration", thresholdRange: { max: 1 } },
      ],
    };
    expect(causesOf(await client.post(canaries, canary("a", { provider: "nginx", analysis })))).toEqual([
      "spec.ingressRef: Invalid value: provider nginx needs ingressRef",
      "spec.analysis: Invalid value: set exactly one of iterations, stepWeight and stepWeights",
      "spec.analysis.interval: Invalid value: interval must be at least 1s",
      "spec.analysis.stepWeights: Invalid value: stepWeights must rise",
      "spec.analysis.metrics: Invalid value: a metric that is not built in needs exactly one of templateRef and query",
      "spec.analysis.metrics[0].thresholdRange: Invalid value: thresholdRange needs min or max",
    ]);
  });

  test("equal step weights do not rise either", async () => {
    const { stepWeight: _, ...rest } = spec.analysis;
    const make = (stepWeights: number[]): ReturnType<TestClient["post"]> =>
      client.post(`${canaries}?dryRun=All`, canary("w", { analysis: { ...rest, stepWeights } }));
    expect(causesOf(await make([5, 5]))).toEqual(["spec.analysis.stepWeights: Invalid value: stepWeights must rise"]);
    expect((await make([5, 20, 50])).code).toBe(201);
  });

  test("unknown and duplicate fields", async () => {
    const body =
      '{"apiVersion":"serin.dev/v1beta1","kind":"Canary","metadata":{"name":"a","foo":1},"spec":{"targetRef":{"kind":"Deployment","name":"up"},"service":{"port":80,"x":1,"x":2},"analysis":{"stepWeight":5,"metrics":[{"name":"request-duration","y":1}]}}}';
    expect((await client.post(`${canaries}?fieldValidation=Strict`, body)).body.message).toBe(
      'Canary in version "v1beta1" cannot be handled as a Canary: strict decoding error: duplicate field "spec.service.x", unknown field "metadata.foo", unknown field "spec.analysis.metrics[0].y", unknown field "spec.service.x"',
    );
  });

  test("the same key twice in a keyed list", async () => {
    const metrics = [
      { name: "request-duration", thresholdRange: { max: 1 } },
      { name: "request-duration", thresholdRange: { max: 1 } },
    ];
    expect(causesOf(await client.post(canaries, canary("a", { analysis: { stepWeight: 5, metrics } })))).toEqual([
      'spec.analysis.metrics[1]: Duplicate value: {"name":"request-duration"}',
    ]);
  });

  test("a strategic merge patch, and a PUT without a revision", async () => {
    await client.post(canaries, canary("plain"));
    expect((await client.patch(`${canaries}/plain`, "strategic", {})).code).toBe(415);
    expect((await client.put(`${canaries}/plain`, canary("plain"))).body.message).toBe(
      'canaries.serin.dev "plain" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
    );
  });
});

test("defaults are stored and owned by who wrote, unknown fields are pruned", async () => {
  const { body } = await client.post(`${canaries}?fieldManager=me`, canary("filled", { service: { port: 80, nonsense: 1 } }));
  expect(body.spec.service).toEqual({ port: 80, portName: "http" });
  expect(body.spec).toMatchObject({ progressDeadlineSeconds: 600, suspend: false, revert: { scope: "Canary", strategy: "PullRequest" } });
  expect(body.metadata.managedFields[0].fieldsV1["f:spec"]["f:service"]).toEqual({ ".": {}, "f:port": {}, "f:portName": {} });
});

test("an int-or-string takes both", async () => {
  for (const targetPort of [8080, "http"]) {
    expect(
      (await client.post(`${canaries}?dryRun=All`, canary("port", { service: { port: 80, targetPort } }))).body.spec.service.targetPort,
    ).toBe(targetPort);
  }
});

test("what must not change is refused on update only", async () => {
  await client.post(canaries, canary("fixed"));
  const reply = await client.patch(`${canaries}/fixed`, "merge", { spec: { targetRef: { name: "other" } } });
  expect(causesOf(reply)).toEqual([
    "spec.service.name: Invalid value: service.name cannot be changed; delete the Canary and create it anew",
    "spec.targetRef: Invalid value: targetRef cannot be changed; delete the Canary and create it anew",
  ]);
});

test("status is a subresource: not created with the object, written apart, validated apart", async () => {
  const made = await client.post(canaries, { ...canary("status"), status: { phase: "Failed" } });
  expect(made.body.status).toBeUndefined();
  const path = `${canaries}/status/status`;
  const { body } = await client.patch(path, "merge", { spec: { suspend: true }, status: { phase: "Progressing", canaryWeight: 20 } });
  expect({ status: body.status, suspend: body.spec.suspend, generation: body.metadata.generation }).toEqual({
    status: { phase: "Progressing", canaryWeight: 20 },
    suspend: false,
    generation: 1,
  });
  expect(causesOf(await client.patch(path, "merge", { status: { canaryWeight: 101 } }))[0]).toBe(
    "status.canaryWeight: Invalid value: 101: canaryWeight in body should be less than or equal to 100",
  );
});

test("a table shows the printer columns", async () => {
  const { body } = await client.get(`${canaries}/status`, { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" });
  expect(body.columnDefinitions.map(({ name, priority }: Body) => `${name}${priority}`)).toEqual([
    "Name0",
    "Status0",
    "Reason0",
    "Weight0",
    "Revision0",
    "Verdict0",
    "FailedChecks1",
    "Message1",
    "Age0",
  ]);
  expect(body.rows[0].cells.slice(0, 7)).toEqual(["status", "Progressing", null, 20, null, null, null]);
});

test("rules that cannot be evaluated are listed, and refuse what they would judge", async () => {
  const names = { kind: "Odd", plural: "odds", singular: "odd", listKind: "OddList" };
  const rules = [{ rule: "url(self.link).getHost() == 'a'", message: "link must be at a" }];
  const schema = {
    type: "object",
    properties: { spec: { type: "object", properties: { link: { type: "string" } }, "x-kubernetes-validations": rules } },
  };
  const crd = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "odds.example.com" },
    spec: {
      group: "example.com",
      names,
      scope: "Cluster",
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  };
  expect((await client.post(crds, crd)).code).toBe(201);
  expect(server.unevaluatedRules()).toMatchObject([{ crd: "odds.example.com/v1", rule: "url(self.link).getHost() == 'a'" }]);
  const refused = await client.post("/apis/example.com/v1/odds", { metadata: { name: "a" }, spec: { link: "http://a" } });
  expect(refused.body.message).toContain("rule cannot be evaluated by this server");
  await client.delete(`${crds}/odds.example.com`);
  expect((await client.get("/apis/example.com/v1/odds")).code).toBe(404);
});

test("a CRD whose name does not fit is refused", async () => {
  const crd = crdOf(kinds[0]!);
  const reply = await client.post(crds, { ...crd, metadata: { name: "other.serin.dev" } });
  expect(causesOf(reply)[0]).toBe('metadata.name: Invalid value: "other.serin.dev": must be spec.names.plural+"."+spec.group');
});

test("Gateway API's lists are owned as a whole", async () => {
  for (const crd of gatewayCrds()) await client.apply(`${crds}/${crd.metadata.name}`, "test", crd);
  const route = (rest: object): Body => ({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: "r" },
    spec: rest,
  });
  const path = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/r";
  const rules = [
    {
      backendRefs: [
        { name: "x", port: 80, weight: 90 },
        { name: "y", port: 80, weight: 10 },
      ],
    },
  ];
  const { body } = await client.apply(path, "one", route({ parentRefs: [{ name: "g" }], hostnames: ["a.b"], rules }));
  expect(body.metadata.managedFields[0].fieldsV1).toEqual({ "f:spec": { "f:hostnames": {}, "f:parentRefs": {}, "f:rules": {} } });
  expect((await client.apply(path, "two", route({ hostnames: ["c.d"] }))).body.message).toBe(
    'Apply failed with 1 conflict: conflict with "one": .spec.hostnames',
  );
});

test.each<[string, object, string[]]>([
  [
    "an integer beyond 32 bits",
    { service: { port: 99_999_999_999 } },
    [
      '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.service.port',
      "spec.service.port: Invalid value: 99999999999: spec.service.port in body should be less than or equal to 65535",
    ],
  ],
  [
    "a bound and a rule, both told",
    { service: { port: 0 }, provider: "nginx" },
    [
      "spec.service.port: Invalid value: 0: spec.service.port in body should be greater than or equal to 1",
      "spec.ingressRef: Invalid value: provider nginx needs ingressRef",
    ],
  ],
])("%s", async (_, changes, causes) => {
  expect(causesOf(await client.post(canaries, canary("bounds", changes)))).toEqual(causes);
});
