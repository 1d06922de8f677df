import { request } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { KubeObject } from "../../api/object.ts";
import { shopDeployment, startTestCluster, statusField } from "../../../test/sandbox-cluster.ts";
import type { TestCluster } from "../../../test/sandbox-cluster.ts";
import { kinds } from "../kinds.ts";
import { realPorts } from "./addresses.ts";
import type { Images, Program } from "./images.ts";
import { anyOf, imageTable } from "./images.ts";
import { shop } from "./programs.ts";
import { scenarioImages } from "./scenario-images.ts";

const answer: Program = ({ files, env }) => ({
  serve: (_, response) => void response.end(JSON.stringify({ file: files.get("/etc/app/text"), env: env["A"] })),
  exec: async ([command]) => (command === "ok" ? 0 : 1),
});
/** Answers liveness until it is told to hang. */
const fragile: Program = () => {
  let healthy = true;
  return {
    serve: (incoming, response) => {
      if (incoming.url === "/break") healthy = false;
      response.statusCode = healthy ? 200 : 500;
      response.end();
    },
  };
};
const slow: Program = ({ clock }) => ({ serve: (_, response) => void clock.sleep(400).then(() => response.end("done")) });
const images: Images = imageTable({
  "serin.dev/shop": () => shop(),
  answer: () => answer,
  fragile: () => fragile,
  slow: () => slow,
  job: () => ({ exit }) => {
    exit(0);
    return {};
  },
});

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster({ images: anyOf(images, scenarioImages()), timings: { drainMs: 100 } });
});
afterAll(async () => await cluster.close());

const aPod = (name: string, container: object, spec: object = {}): KubeObject => ({
  ...kinds.pod,
  metadata: { name, namespace: "shop" },
  spec: { containers: [{ name: "app", ports: [{ containerPort: 8080 }], ...container }], ...spec },
});
const isReady = (object: KubeObject) => JSON.stringify(object["status"]).includes('"ready":true');
const urlOf = (pod: KubeObject) => `http://127.0.0.1:${realPorts(pod.metadata.annotations).get(8080)}`;
const fast = { periodSeconds: 1, failureThreshold: 1 };

test("a pod serves on a real port that its annotation names, with its variables and files", async () => {
  const volumes = [{ name: "v", configMap: { name: "text" } }];
  const env = [{ name: "A", value: "1" }];
  await cluster.apply(
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "text", namespace: "shop" }, data: { text: "hello" } },
    aPod("answer", { image: "answer:1", env, volumeMounts: [{ name: "v", mountPath: "/etc/app" }] }, { volumes }),
  );
  const pod = await cluster.until(kinds.pod, "answer", isReady);
  const { body } = await request(urlOf(pod));
  expect(await body.json()).toEqual({ file: "hello", env: "1" });
  expect(statusField(pod, "podIP")).toMatch(/^10\.244\./);
});

test("exec probes run the program's function, and tcp probes connect", async () => {
  await cluster.apply(
    aPod("exec", {
      image: "answer:1",
      readinessProbe: { exec: { command: ["ok"] }, ...fast },
      livenessProbe: { tcpSocket: { port: 8080 }, ...fast },
    }),
    aPod("no-exec", { image: "slow:1", readinessProbe: { exec: { command: ["ok"] }, ...fast } }),
  );
  await cluster.until(kinds.pod, "exec", isReady);
  const pod = await cluster.until(kinds.pod, "no-exec", (object) => statusField(object, "phase") === "Running");
  expect(isReady(pod)).toBe(false);
});

test("a container that fails its liveness probe is killed and starts again", async () => {
  await cluster.apply(aPod("fragile", { image: "fragile:1", livenessProbe: { httpGet: { path: "/", port: 8080 }, ...fast } }));
  const pod = await cluster.until(kinds.pod, "fragile", isReady);
  await (await request(`${urlOf(pod)}/break`)).body.dump();
  const again = await cluster.until(
    kinds.pod,
    "fragile",
    (object) => isReady(object) && JSON.stringify(object["status"]).includes('"restartCount":1'),
  );
  expect(JSON.stringify(again["status"])).toContain('"exitCode":137');
});

test("a startup probe holds the others back", async () => {
  const startupProbe = { httpGet: { path: "/readyz", port: 8080 }, periodSeconds: 1, failureThreshold: 30 };
  await cluster.apply(
    aPod("starting", {
      image: "serin.dev/shop:1",
      env: [{ name: "READY_AFTER_MS", value: "300" }],
      startupProbe,
      livenessProbe: { httpGet: { path: "/readyz", port: 8080 }, ...fast },
    }),
  );
  const pod = await cluster.until(kinds.pod, "starting", isReady);
  expect(JSON.stringify(pod["status"])).toContain('"restartCount":0');
});

test("the idle image is ready without a port, whatever its probes ask, until its pod goes", async () => {
  await cluster.apply(aPod("idle", { image: "serin.dev/idle:1", readinessProbe: { httpGet: { path: "/", port: 8080 }, ...fast } }));
  const pod = await cluster.until(kinds.pod, "idle", isReady);
  expect(realPorts(pod.metadata.annotations).size).toBe(0);
  await cluster.kube.delete({ ...kinds.pod, namespace: "shop", name: "idle" }, {}, cluster.signal);
  await expect
    .poll(async () => await cluster.kube.find({ ...kinds.pod, namespace: "shop", name: "idle" }, cluster.signal), { timeout: 10_000 })
    .toBeUndefined();
});

test("a job ends, and an init container runs before the rest", async () => {
  await cluster.apply(
    aPod("job", { image: "job:1" }, { restartPolicy: "Never" }),
    aPod("init", { image: "answer:1" }, { initContainers: [{ name: "migrate", image: "job:1" }] }),
  );
  await cluster.until(kinds.pod, "job", (object) => statusField(object, "phase") === "Succeeded");
  const pod = await cluster.until(kinds.pod, "init", isReady);
  expect(JSON.stringify(statusField(pod, "initContainerStatuses"))).toContain('"reason":"Completed"');
});

test("a deleted pod stops being ready at once, finishes what is in flight and then goes", async () => {
  await cluster.apply(aPod("slow", { image: "slow:1" }));
  const pod = await cluster.until(kinds.pod, "slow", isReady);
  const inFlight = request(urlOf(pod));
  await cluster.kube.delete({ ...kinds.pod, namespace: "shop", name: "slow" }, {}, cluster.signal);
  const { statusCode, body } = await inFlight;
  expect([statusCode, await body.text()]).toEqual([200, "done"]);
  await expect
    .poll(async () => await cluster.kube.find({ ...kinds.pod, namespace: "shop", name: "slow" }, cluster.signal), { timeout: 10_000 })
    .toBeUndefined();
  await expect(request(urlOf(pod))).rejects.toThrow(/ECONNREFUSED/);
});

test("a program hears of its end only when what preStop sleeps is over", async () => {
  const find = async (name: string) => await cluster.kube.find({ ...kinds.pod, namespace: "shop", name }, cluster.signal);
  const gone = async (name: string) => await expect.poll(async () => await find(name), { timeout: 10_000 }).toBeUndefined();
  const sleeps = { lifecycle: { preStop: { sleep: { seconds: 3 } } } };
  const env = [{ name: "A", value: "1" }];
  await cluster.apply(aPod("sleepy", { image: "answer:1", env, ...sleeps }), aPod("prompt", { image: "answer:1" }));
  const pod = await cluster.until(kinds.pod, "sleepy", isReady);
  await cluster.until(kinds.pod, "prompt", isReady);
  for (const name of ["sleepy", "prompt"]) await cluster.kube.delete({ ...kinds.pod, namespace: "shop", name }, {}, cluster.signal);
  await gone("prompt");
  const { statusCode, body } = await request(urlOf(pod));
  await body.dump();
  expect(statusCode).toBe(200);
  await gone("sleepy");
});

test("readiness that comes and goes is followed", async () => {
  await cluster.apply(shopDeployment("flapping", { replicas: 1, env: { READINESS: "flap", READINESS_FLAP_MS: "1200" } }));
  for (const ready of [1, undefined, 1]) {
    const seen = await cluster.until(kinds.deployment, "flapping", (object) => statusField(object, "readyReplicas") === ready);
    expect(statusField(seen, "unavailableReplicas")).toBe(ready === 1 ? undefined : 1);
  }
});

test("a shop that needs a backend fails with it", async () => {
  const fragilePod = await startPod("backend", { image: "fragile:1" });
  const shopPod = await startPod("needy", { image: "serin.dev/shop:1", env: [{ name: "BACKEND_URL", value: `${urlOf(fragilePod)}/` }] });
  const statusOfShop = async (): Promise<number> => {
    const { statusCode, body } = await request(urlOf(shopPod));
    await body.dump();
    return statusCode;
  };
  expect(await statusOfShop()).toBe(200);
  await (await request(`${urlOf(fragilePod)}/break`)).body.dump();
  expect(await statusOfShop()).toBe(502);
});

async function startPod(name: string, container: object): Promise<KubeObject> {
  await cluster.apply(aPod(name, container));
  return cluster.until(kinds.pod, name, isReady);
}
