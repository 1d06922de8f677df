import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { KubeObject } from "../../src/api/object.ts";
import { at, chart, findHelm, of, render } from "./helm.ts";

const binary = findHelm() ?? "";
const options = ["podMonitor", "networkPolicy", "prometheusRule", "dashboard"];
const allOptions = ["--set", options.map((name) => `${name}.enabled=true`).join(",")];

type Labels = Readonly<Record<string, string>>;

function only(kind: string, objects: readonly KubeObject[]): KubeObject {
  const [object, ...more] = of(objects, kind);
  expect(more).toEqual([]);
  return object!;
}

describe.skipIf(binary === "")("options of the chart", () => {
  let all: KubeObject[] = [];
  beforeAll(async () => {
    all = await render(binary, ...allOptions);
  });

  test("without being asked for there is no kind that a cluster may not know, and nothing that closes the network", async () => {
    const kinds = new Set((await render(binary)).map(({ kind }) => kind));
    expect(["PodMonitor", "PrometheusRule", "NetworkPolicy", "ConfigMap"].filter((kind) => kinds.has(kind))).toEqual([]);
    expect(kinds).toContain("PodDisruptionBudget");
    const without = await render(binary, "--set", "podDisruptionBudget.enabled=false");
    expect(of(without, "PodDisruptionBudget")).toEqual([]);
  });

  test.each([
    ["Service", "spec.selector"],
    ["PodMonitor", "spec.selector.matchLabels"],
    ["NetworkPolicy", "spec.podSelector.matchLabels"],
    ["PodDisruptionBudget", "spec.selector.matchLabels"],
  ])("the %s selects the pods of the release, and no others", (kind, path) => {
    const wanted = Object.entries(at(only(kind, all), path) as Labels);
    const labels = at(only("Deployment", all), "spec.template.metadata.labels") as Labels;
    expect(wanted.filter(([name, value]) => labels[name] !== value)).toEqual([]);
    expect(wanted).toContainEqual(["app.kubernetes.io/instance", "serin"]);
  });

  test.each([
    ["Service", "spec.ports.0.targetPort"],
    ["PodMonitor", "spec.podMetricsEndpoints.0.port"],
    ["NetworkPolicy", "spec.ingress.0.ports.0.port"],
  ])("the %s names a port that the pods have", (kind, path) => {
    const ports = at(only("Deployment", all), "spec.template.spec.containers.0.ports") as { name: string }[];
    expect(ports.map(({ name }) => name)).toContain(at(only(kind, all), path));
  });

  test("the PodMonitor takes the labels by which a Prometheus finds it, and keeps those of our objects", async () => {
    const values = ["--set", "podMonitor.enabled=true,podMonitor.labels.release=main,podMonitor.interval=10s"];
    const { metadata, spec } = only("PodMonitor", await render(binary, ...values));
    expect(metadata.labels).toMatchObject({ release: "main", "app.kubernetes.io/instance": "serin" });
    expect(spec).toMatchObject({ podMetricsEndpoints: [{ path: "/metrics", interval: "10s", honorLabels: true }] });
  });

  const peer = { namespaceSelector: { matchLabels: { team: "gateway" } } };
  const rule = { to: [{ ipBlock: { cidr: "10.0.0.0/8" } }] };
  const names = { ports: [{ port: 53, protocol: "UDP" }, { port: 53, protocol: "TCP" }] };

  test.each<[string, object, object]>([
    ["lets everybody reach the one port, and the pods reach everybody", {}, { policyTypes: ["Ingress"], ingress: [{ ports: [{ port: "http" }] }] }],
    ["lets only those in that are named", { from: [peer] }, { policyTypes: ["Ingress"], ingress: [{ ports: [{ port: "http" }], from: [peer] }] }],
    ["lets the pods reach only what is named, and ask for names", { egress: [rule] }, { policyTypes: ["Ingress", "Egress"], egress: [names, rule] }],
  ])("the NetworkPolicy %s", async (_, values, want) => {
    const json = JSON.stringify({ enabled: true, ...values });
    const { spec } = only("NetworkPolicy", await render(binary, "--set-json", `networkPolicy=${json}`));
    expect(spec).toMatchObject(want);
    expect("egress" in (spec as object)).toBe("egress" in values);
  });

  test.each([["1", 1], ["34%", "34%"]])("node drains may take %s of the replicas", async (given, want) => {
    const objects = await render(binary, "--set", `podDisruptionBudget.maxUnavailable=${given}`);
    expect(at(only("PodDisruptionBudget", objects), "spec.maxUnavailable")).toBe(want);
  });

  test("rules and dashboard are those of the files in the chart", () => {
    const file = (name: string): string => readFileSync(join(chart, "files", name), "utf8");
    expect(only("PrometheusRule", all)["spec"]).toEqual(parse(file("alerts.yaml")));
    const { "serin.json": dashboard = "" } = at(only("ConfigMap", all), "data") as Record<string, string>;
    expect(JSON.parse(dashboard)).toEqual(JSON.parse(file("dashboard.json")));
  });
});
