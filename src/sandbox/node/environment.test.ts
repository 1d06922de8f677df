import { expect, test } from "vitest";
import { kinds, pod } from "../kinds.ts";
import { podAddresses, loopbackAddresses, realPorts } from "./addresses.ts";
import type { Environment } from "./environment.ts";
import { resolveEnvironment, sourceRefs, sourceText } from "./environment.ts";
import { imageTable, parseImage, pullError } from "./images.ts";

const sources = new Map([
  ["configmap/settings", new Map([["TITLE", "Shop"], ["app.yaml", "a: 1"]])],
  ["secret/login", sourceText({ data: { password: Buffer.from("hush").toString("base64") } }, "Secret")],
  ["configmap/gone", undefined],
]);

function resolve(container: object, spec: object = {}): Environment {
  const parsed = pod.parse({
    ...kinds.pod,
    metadata: { name: "web-1", namespace: "shop", labels: { app: "web" } },
    spec: { nodeName: "one", containers: [{ name: "app", ...container }], ...spec },
    status: { podIP: "10.244.0.9" },
  });
  return resolveEnvironment(parsed, parsed.spec.containers[0]!, sources);
}
const problem = (reason: string, message?: string): Environment =>
  message === undefined
    ? { ok: false, reason: "ContainerCreating" }
    : { ok: false, reason: reason as "CreateContainerConfigError", message };
const config = (message: string) => problem("CreateContainerConfigError", message);

test.each<[string, object, Record<string, string>]>([
  ["plain values", { env: [{ name: "A", value: "1" }] }, { A: "1" }],
  ["values that name earlier ones", { env: [{ name: "A", value: "1" }, { name: "B", value: "$(A)-$(C)-$$(A)" }] }, { A: "1", B: "1-$(C)-$(A)" }],
  ["a whole ConfigMap, with a prefix", { envFrom: [{ prefix: "X_", configMapRef: { name: "settings" } }] }, { X_TITLE: "Shop", "X_app.yaml": "a: 1" }],
  ["own values before a whole ConfigMap's", { envFrom: [{ configMapRef: { name: "settings" } }], env: [{ name: "TITLE", value: "Mine" }] }, { TITLE: "Mine", "app.yaml": "a: 1" }],
  ["a key of a Secret", { env: [{ name: "P", valueFrom: { secretKeyRef: { name: "login", key: "password" } } }] }, { P: "hush" }],
  ["fields of the pod", { env: ["metadata.name", "metadata.namespace", "metadata.labels['app']", "status.podIP", "spec.nodeName"].map((fieldPath, at) => ({ name: `F${at}`, valueFrom: { fieldRef: { fieldPath } } })) }, { F0: "web-1", F1: "shop", F2: "web", F3: "10.244.0.9", F4: "one" }],
  ["nothing for what is optional and missing", { envFrom: [{ secretRef: { name: "gone", optional: true } }], env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "settings", key: "none", optional: true } } }] }, {}],
])("a container gets %s", (_, container, env) => {
  expect(resolve(container)).toMatchObject({ ok: true, env });
});

test.each<[string, object, Environment]>([
  ["a missing ConfigMap", { envFrom: [{ configMapRef: { name: "gone" } }] }, config('configmap "gone" not found')],
  ["a missing Secret", { env: [{ name: "A", valueFrom: { secretKeyRef: { name: "other", key: "x" } } }] }, config('secret "other" not found')],
  ["a missing key", { env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "settings", key: "x" } } }] }, config("couldn't find key x in ConfigMap shop/settings")],
])("%s keeps it from starting", (_, container, want) => {
  expect(resolve(container)).toEqual(want);
});

test("volumes become files, and a missing one keeps the container creating", () => {
  const volumes = [
    { name: "v", configMap: { name: "settings", items: [{ key: "app.yaml", path: "conf/app.yaml" }] } },
    { name: "p", projected: { sources: [{ secret: { name: "login" } }] } },
  ];
  const mounts = {
    volumeMounts: [
      { name: "v", mountPath: "/etc/app" },
      { name: "p", mountPath: "/run/login" },
      { name: "v", mountPath: "/one", subPath: "conf/app.yaml" },
    ],
  };
  const resolved = resolve(mounts, { volumes });
  expect(resolved.ok && [...resolved.files]).toEqual([
    ["/etc/app/conf/app.yaml", "a: 1"],
    ["/run/login/password", "hush"],
    ["/one", "a: 1"],
  ]);
  expect(resolve({ volumeMounts: [{ name: "v", mountPath: "/etc" }] }, { volumes: [{ name: "v", configMap: { name: "gone" } }] })).toEqual({
    ok: false,
    reason: "ContainerCreating",
  });
});

test("every ConfigMap and Secret that is named is read first", () => {
  const spec = {
    containers: [
      {
        name: "app",
        envFrom: [{ configMapRef: { name: "a" } }],
        env: [{ name: "B", valueFrom: { secretKeyRef: { name: "b", key: "x" } } }],
      },
    ],
    volumes: [{ name: "v", secret: { secretName: "c" } }],
  };
  const parsed = pod.parse({ ...kinds.pod, metadata: { name: "web", namespace: "shop" }, spec });
  expect([...sourceRefs(parsed, parsed.spec.containers[0]!).keys()]).toEqual(["configmap/a", "secret/b", "secret/c"]);
});

test.each([
  ["shop:1", "shop", "1"],
  ["registry:5000/shop", "registry:5000/shop", "latest"],
  ["registry:5000/shop:v1@sha256:abc", "registry:5000/shop", "v1"],
])("image %s is repository %s, tag %s", (image, repository, tag) => {
  expect(parseImage(image)).toEqual({ repository, tag });
});

test("what no registry has is not found, and a broken registry sounds different", () => {
  expect(imageTable({}).find("unknown:1")).toBe("notFound");
  expect(pullError("a/b:1", "notFound")).toMatch(/not found.*manifest unknown/);
  expect(pullError("a/b:1", "registryError")).not.toMatch(/not found|manifest unknown/);
});

test("addresses are never given twice, and real ports are read back from the annotation", () => {
  const addresses = loopbackAddresses();
  expect(new Set(Array.from({ length: 600 }, () => addresses.assign().ip)).size).toBe(600);
  expect(podAddresses().assign()).toMatchObject({ ip: "10.244.0.10", host: "10.244.0.10", mapped: false });
  expect([...realPorts({ "sandbox.serin.dev/ports": '{"8080":41234,"9090":5}' })]).toEqual([[8080, 41234], [9090, 5]]);
  expect(realPorts(undefined).size).toBe(0);
});
