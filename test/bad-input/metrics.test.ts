import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canary as canaryKind, type CanaryStatus } from "../../src/api/canary.ts";
import { findCondition } from "../../src/api/conditions.ts";
import { crdOf } from "../../src/api/crd.ts";
import { kinds } from "../../src/api/kinds.ts";
import { apiVersion } from "../../src/api/meta.ts";
import { metricTemplate } from "../../src/api/metric-template.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { canaryReconciler } from "../../src/controllers/canary/reconcile.ts";
import { canaryWatches } from "../../src/controllers/canary/watches.ts";
import { resourcesOf } from "../../src/controllers/resources.ts";
import { runController } from "../../src/kube/controller.ts";
import { createEvents } from "../../src/kube/events.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { metricProviders } from "../../src/metrics/providers.ts";
import { routers } from "../../src/routing/routers.ts";
import { canaryInput } from "../builders.ts";
import { eventually } from "../sync-world.ts";
import { shopDeployment, startTestCluster, type TestCluster } from "../sandbox-cluster.ts";

type Answer = (response: ServerResponse) => void;
const json =
  (status: number, body: object): Answer =>
  (response) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
const vector = (...result: object[]): Answer => json(200, { status: "success", data: { resultType: "vector", result } });
const good = vector({ metric: {}, value: [1, "100"] });
const page: Answer = (response) => response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>Sign in</title>");

/** What a metric server may answer, in turn, and what is then said. */
const rows: Readonly<Record<string, readonly (readonly [answer: Answer, says: string])[]>> = {
  "no-metrics": [
    [(response) => response.writeHead(404).end("404 page not found\n"), "has no /api/v1/query (404); is it a Prometheus?"],
    [page, "answered with something that is not JSON; is it a Prometheus?"],
    [json(401, {}), "asks for credentials (401); a MetricTemplate can give them"],
    [json(502, {}), "answered 502"],
  ],
  "no-number": [
    [
      json(400, { status: "error", errorType: "bad_data", error: "1:5: parse error: unexpected end" }),
      "the query was refused: 1:5: parse error: unexpected end",
    ],
    [vector(), "no data"],
    [vector({ metric: { pod: "a" }, value: [1, "1"] }, { metric: { pod: "b" }, value: [1, "1"] }), "2 series"],
    [vector({ metric: {}, value: [1, "NaN"] }), "no data"],
  ],
};

let cluster: TestCluster;
let server: Server;
let address: string;
/** By the first part of the path: what the metric server answers now. */
const answers = new Map<string, Answer>();

beforeAll(async () => {
  server = createServer((request, response) => {
    const [, name = ""] = request.url?.split("/") ?? [];
    request.resume();
    (answers.get(name) ?? good)(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  cluster = await startTestCluster();
  const { kube, informers, signal } = cluster;
  await cluster.apply(...kinds.map((kind) => crdOf(kind)));
  const [clock, log] = [systemClock, silentLogger];
  const events = createEvents({ kube, component: "serin", clock, log, signal });
  const world = { kube, informers, events, clock, log };
  const reconcile = canaryReconciler({
    ...world,
    canaries: resourcesOf(canaryKind, world),
    templates: resourcesOf(metricTemplate, world),
    routers,
    metricProviders,
    ensureRevert: async ({ canary }) => expect.fail(`Canary ${canary.metadata.name} failed`),
    defaults: {},
  });
  const kind = { apiVersion, kind: "Canary" };
  const watches = canaryWatches(informers);
  void runController({ ...world, name: "canaries", kind, informer: informers.of(kind), watches, reconcile, signal, concurrency: 16 });
});
afterAll(async () => {
  await cluster.close();
  await new Promise((resolve) => server.close(resolve));
});

const canaries = { apiVersion, kind: "Canary" };

function canary(name: string): KubeObject {
  const spec = canaryInput({
    targetRef: { kind: "Deployment", name },
    metricsServer: `${address}/${name}`,
    service: { targetPort: "http", hosts: [`${name}.example`], gatewayRefs: [{ name: "web", namespace: "public" }] },
    analysis: { interval: "1s", stepWeight: 50, maxWeight: 50, metrics: [{ name: "request-success-rate", interval: "5s" }] },
  });
  return { ...canaries, metadata: { name, namespace: "shop" }, spec };
}

function statusOf(object: KubeObject): CanaryStatus {
  return canaryKind.status.parse(object["status"] ?? {});
}

async function until(name: string, wanted: (status: CanaryStatus) => boolean): Promise<CanaryStatus> {
  return statusOf(await cluster.until(canaries, name, (object) => wanted(statusOf(object))));
}

async function eventsAbout(name: string): Promise<string[]> {
  const events = await cluster.kube.list({ apiVersion: "v1", kind: "Event" }, { namespace: "shop" }, cluster.signal);
  const own = events.filter((event) => (event["involvedObject"] as { name?: string }).name === name);
  return own.map((event) => `${String(event["type"])} ${String(event["reason"])} ${String(event["message"])}`);
}

describe.concurrent("what cannot be measured holds a running canary, is said, fails nobody, and is over once it can", () => {
  test.each(Object.entries(rows))("%s", async (name, row) => {
    await cluster.apply(shopDeployment(name, { tag: "1", replicas: 1 }), canary(name));
    await until(name, ({ phase }) => phase === "Initialized");
    const { spec, ...head } = shopDeployment(name, { tag: "2" });
    const { replicas: _, ...released } = spec as Record<string, unknown>;
    answers.set(name, row[0]![0]);
    await cluster.apply({ ...head, spec: released } as KubeObject);
    for (const [answer, says] of row) {
      answers.set(name, answer);
      const held = await until(name, ({ conditions }) => findCondition(conditions, "Ready")?.message.includes(says) ?? false);
      expect(held).toMatchObject({ phase: "Progressing", verdict: "inconclusive", canaryWeight: 50, failedChecks: 0 });
      const ready = findCondition(held.conditions, "Ready");
      expect([ready?.status, ready?.reason]).toEqual(["Unknown", "CheckInconclusive"]);
      expect(ready?.message).toContain("request-success-rate");
      const isTold = (event: string): boolean =>
        event.startsWith("Warning CheckInconclusive request-success-rate ") && event.includes(says);
      const heard = async (): Promise<true | undefined> => (await eventsAbout(name)).some(isTold) || undefined;
      await eventually(heard, () => `no event says ${says}`);
    }

    answers.delete(name);
    const done = await until(name, ({ phase }) => phase === "Succeeded");
    expect(done).toMatchObject({ failedChecks: 0 });
    expect((await eventsAbout(name)).join("\n")).not.toContain("Failed");
  });
});
