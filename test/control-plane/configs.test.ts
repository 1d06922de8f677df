import { expect, test } from "vitest";
import { auditPolicy, giteaConfig, kubeconfig, prometheusConfig, systemUsers, tokensFile, userName } from "../../hack/control-plane/configs.ts";
import { parseOptions } from "../../hack/control-plane/options.ts";
import { scrapeTargets } from "../../hack/control-plane/scrape-targets.ts";
import type { KubeObject } from "../../src/api/object.ts";

test("tokens are given to users of the group that may do everything", () => {
  expect(tokensFile({ admin: "a1", "control-plane:node": "n1" })).toBe('a1,admin,admin,"system:masters"\nn1,control-plane:node,control-plane:node,"system:masters"\n');
});

test("a kubeconfig carries certificate and token, and the name that the certificate has", () => {
  const config: unknown = JSON.parse(kubeconfig({ server: "https://127.0.0.1:6443", token: "t", certificate: "PEM", serverName: "localhost" }));
  expect(config).toMatchObject({
    clusters: [{ cluster: { "certificate-authority-data": "UEVN", "tls-server-name": "localhost" } }],
    users: [{ user: { token: "t" } }],
  });
});

test("the audit log leaves out the control plane's own users and nobody else", () => {
  const [ignored, rest] = (auditPolicy() as { rules: { level: string; users?: string[] }[] }).rules;
  expect(ignored?.users).toEqual([...systemUsers.map(userName), "system:apiserver", "system:anonymous"]);
  expect(rest).toEqual({ level: "Metadata" });
});

test("Prometheus never waits longer for an answer than until the next scrape", () => {
  const { global } = prometheusConfig({ scrapeIntervalMs: 500, podTargets: "pods.json" }) as { global: Record<string, string> };
  expect(global).toMatchObject({ scrape_interval: "500ms", scrape_timeout: "500ms" });
});

test("Gitea's links lead to the port it listens on, and it may call hooks on any address", () => {
  const ini = giteaConfig({ dir: "/run/gitea", share: "/share", port: 3005, secrets: ["a", "b"] });
  expect(ini).toContain("HTTP_PORT = 3005\nROOT_URL = http://127.0.0.1:3005/");
  expect(ini).toContain("[webhook]\nALLOWED_HOST_LIST = *");
});

test.each<[string, string[], object]>([
  ["nothing: it stays up", [], { command: [], scrapeIntervalMs: 1_000, keep: false, buildOnly: false }],
  ["a command with flags of its own", ["kubectl", "get", "pods", "--keep"], { command: ["kubectl", "get", "pods", "--keep"], keep: false }],
  ["flags and a command", ["--scrape-interval", "5s", "--keep", "sh", "-c", "true"], { command: ["sh", "-c", "true"], scrapeIntervalMs: 5_000, keep: true }],
  ["only a build", ["--build-only"], { buildOnly: true }],
])("the command line may be %s", (_, args, want) => {
  expect(parseOptions(args)).toMatchObject(want);
});

test("who asks for help gets it, unless the command is what it is for", () => {
  expect(parseOptions(["--help"])).toBeUndefined();
  expect(parseOptions(["kubectl", "--help"])).toMatchObject({ command: ["kubectl", "--help"] });
});

test("an unknown flag before the command is refused", () => {
  expect(() => parseOptions(["--sacrpe-interval", "5s"])).toThrow(/sacrpe/);
});

const aPod = (metadata: object, container: object = {}, status: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web-1", namespace: "shop", ...metadata },
  spec: { containers: [{ name: "app", ports: [{ name: "http", containerPort: 8080 }], ...container }] },
  status: { phase: "Running", podIP: "10.244.0.12", ...status },
});
const scraped = { "prometheus.io/scrape": "true" };
const serin = { "app.kubernetes.io/name": "serin" };

test.each<[string, KubeObject, string | undefined]>([
  ["asks by annotation", aPod({ annotations: scraped }), "10.244.0.12:8080/metrics"],
  ["names port and path", aPod({ annotations: { ...scraped, "prometheus.io/port": "9", "prometheus.io/path": "/m" } }), "10.244.0.12:9/m"],
  ["is Serin's own", aPod({ labels: serin }), "10.244.0.12:8080/metrics"],
  ["does not ask", aPod({}), undefined],
  ["has no port of a known name", aPod({ annotations: scraped }, { ports: [{ name: "grpc", containerPort: 1 }] }), undefined],
  ["does not run yet", aPod({ annotations: scraped }, {}, { phase: "Pending" }), undefined],
])("a pod that %s is scraped, or not", (_, pod, want) => {
  const found = scrapeTargets([pod]).map(({ targets, labels }) => `${targets[0]}${labels["__metrics_path__"]}`);
  expect(found).toEqual(want === undefined ? [] : [want]);
});
