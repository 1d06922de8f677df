import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { routerNames } from "../../src/api/canary.ts";
import { kinds } from "../../src/api/kinds.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { flags, parseConfig } from "../../src/config.ts";
import { createKube, type KubeClient } from "../../src/kube/client.ts";
import { loadKubeConfig, serverAt } from "../../src/kube/kubeconfig.ts";
import { isRecord } from "../../src/lib/json.ts";
import { logLevels } from "../../src/lib/log.ts";
import { startApiServer } from "../../src/sandbox/api-server/api-server.ts";
import { at, chart, findHelm, helm, of, render, renderAs } from "./helm.ts";

const binary = findHelm() ?? "";
const signal = AbortSignal.timeout(120_000);
const valuesFiles = readdirSync(join(chart, "ci")).map((name) => join(chart, "ci", name));
const named = valuesFiles.map((file) => [basename(file), file] as const);

function yamlIn(file: string): Record<string, unknown> {
  return parse(readFileSync(file, "utf8")) as Record<string, unknown>;
}

/** `a.b` of every value that is no map, or an empty one. */
function leaves(value: unknown, path = ""): string[] {
  const entries = isRecord(value) ? Object.entries(value) : [];
  return entries.length === 0 ? [path] : entries.flatMap(([name, inner]) => leaves(inner, path === "" ? name : `${path}.${name}`));
}

interface Container {
  readonly image: string;
  readonly env: { name: string; value?: string }[];
  readonly securityContext: object;
}

function containerIn(objects: readonly KubeObject[]): Container {
  const [deployment] = of(objects, "Deployment");
  return (at(deployment, "spec.template.spec.containers") as Container[])[0]!;
}

describe.skipIf(binary === "")("with helm", () => {
  test.each(named)("%s: the chart passes the strict lint", async (_, file) => {
    expect(await helm(binary, "lint", "--strict", chart, "--values", file)).toContain("0 chart(s) failed");
  });

  describe("on an API server", () => {
    // A real cluster, when one is named: CONFORMANCE_KUBECONFIG=~/.kube/config vitest run test/chart
    const cluster = process.env["CONFORMANCE_KUBECONFIG"];
    let kube: KubeClient;
    let stop: () => Promise<void>;
    const apply = (object: KubeObject, dryRun = true) => kube.apply(object, { fieldManager: "test-chart", dryRun, strict: true }, signal);

    beforeAll(async () => {
      const api = cluster === undefined ? await startApiServer() : undefined;
      kube = createKube(api ? serverAt(api.url) : await loadKubeConfig({ path: cluster }));
      stop = async () => {
        await kube.close();
        await api?.close();
      };
      for (const name of ["serin-system", "shop", "web"]) await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name } }, false);
    });
    afterAll(() => stop());

    test.each(named)("%s: every object is accepted, and no field of it is unknown", async (_, file) => {
      const objects = await render(binary, "--values", file);
      expect(of(objects, "Deployment")).toHaveLength(1);
      // The Prometheus operator's kinds are on few clusters.
      const known = objects.filter(({ apiVersion }) => !apiVersion.startsWith("monitoring.coreos.com/"));
      for (const object of known) expect((await apply(object)).kind).toBe(object.kind);
    });
  });

  test.each<[string, string, RegExp]>([
    ["a typo", "clustername=prod", /additional properties 'clustername' not allowed/],
    ["a typo inside", "sync.clusterrole=edit", /at '\/sync'.*additional properties 'clusterrole' not allowed/],
    ["a cluster name that no branch can carry", "clusterName=Prod EU", /at '\/clusterName': 'Prod EU' does not match pattern/],
    ["a router that there is not", "provider=istio", /at '\/provider': value must be one of '', 'gatewayapi:v1', 'nginx'/],
    ["an address without a scheme", "metricsServer=prometheus:9090", /at '\/metricsServer'.*does not match pattern/],
    ["a tag in the place of a digest", "image.digest=latest", /at '\/image\/digest'.*does not match pattern/],
    ["a namespace that is none", "namespaces={Shop}", /at '\/namespaces\/0'.*does not match pattern/],
    ["a word for a number", "replicas=two", /at '\/replicas': got string, want integer/],
  ])("refuses %s, saying where", async (_, value, message) => {
    await expect(render(binary, "--set", value)).rejects.toThrow(message);
  });

  test("a ServiceAccount that the chart does not make must be named", async () => {
    await expect(render(binary, "--set", "serviceAccount.create=false")).rejects.toThrow(/serviceAccount\.name: name the ServiceAccount/);
  });

  test("the controller reads every variable that is set, and has no other", async () => {
    const { env } = containerIn(await render(binary, "--values", join(chart, "ci/namespaces-values.yaml"), "--set", "metricsServer=http://p:9090"));
    const known = new Set(flags.map(({ variable }) => variable));
    expect(env.map(({ name }) => name).filter((name) => !known.has(name))).toEqual([]);
    const values = Object.fromEntries(env.map(({ name, value }) => [name, value]));
    expect(parseConfig({ ...values, SERIN_POD_NAME: "serin-1" })).toMatchObject({
      clusterName: "shared",
      provider: "nginx",
      metricsServer: "http://p:9090",
      namespaces: ["shop", "web"],
      defaultServiceAccount: "default",
      logLevel: "info",
      port: 8080,
      gitDirectory: "/var/cache/serin/git",
      gitMemoryLimitBytes: 768 * 1024 * 1024,
    });
  });

  test("with a list of namespaces there is no right in any other, but to what belongs to none", async () => {
    const objects = await render(binary, "--values", join(chart, "ci/namespaces-values.yaml"));
    expect(of(objects, "ClusterRoleBinding").map((binding) => at(binding, "roleRef.name"))).toEqual(["serin-cluster"]);
    const clusterRole = of(objects, "ClusterRole").find(({ metadata }) => metadata.name === "serin-cluster");
    const rules = at(clusterRole, "rules") as { resources: string[] }[];
    expect(rules.flatMap(({ resources }) => resources)).toEqual(["gateways", "gatewayclasses", "ingressclasses", "namespaces"]);
    expect(of(objects, "Role").map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).sort()).toEqual([
      "serin-system/serin-leader",
      "shop/serin",
      "web/serin",
    ]);
  });

  test("in a list of namespaces each Role has the very rules of the ClusterRole, which are measured", async () => {
    const [everywhere] = of(await render(binary), "ClusterRole").filter(({ metadata }) => metadata.name === "serin");
    const roles = of(await render(binary, "--set", "namespaces={shop,web}"), "Role").filter(({ metadata }) => metadata.name === "serin");
    expect(roles.map((role) => role["rules"])).toEqual([everywhere?.["rules"], everywhere?.["rules"]]);
  });

  test("the own role names every verb and kind, and gives no right to others' rights", async () => {
    const roles = (await render(binary)).filter(({ kind, metadata }) => kind.endsWith("Role") && !/-(?:edit|view|routes)$/.test(metadata.name));
    const rules = roles.flatMap((role) => role["rules"] as { apiGroups: string[]; resources: string[]; verbs: string[] }[]);
    const texts = rules.flatMap(({ apiGroups, resources, verbs }) => [...apiGroups, ...resources, ...verbs]);
    expect(texts.filter((text) => text.includes("*") || ["escalate", "bind", "rbac.authorization.k8s.io"].includes(text))).toEqual([]);
  });

  const builtIn = ["view", "edit", "admin"];
  /** The API groups in which a built-in ClusterRole gets rights by these objects. */
  const added = (objects: readonly KubeObject[], role: string): string[] =>
    of(objects, "ClusterRole")
      .filter(({ metadata }) => metadata.labels?.[`rbac.authorization.k8s.io/aggregate-to-${role}`] === "true")
      .flatMap((each) => (each["rules"] as { apiGroups: string[] }[]).flatMap(({ apiGroups }) => apiGroups));

  test("nobody gets rights to what is not of Serin by its installation, unless it is asked for", async () => {
    const [usual, asked] = [await render(binary), await render(binary, "--set", "rbac.aggregateRoutes=true")];
    const others = (objects: KubeObject[]) => builtIn.map((role) => added(objects, role).filter((group) => group !== "serin.dev"));
    const gateway = "gateway.networking.k8s.io";
    expect(others(usual)).toEqual([[], [], []]);
    expect(others(asked)).toEqual([[gateway], [gateway], [gateway]]);
  });

  test.each<[string, string[], string[]]>([
    ["with edit Syncs apply routes too", [], ["edit", "serin-routes", "serin-routes-view", "view"]],
    ["in a list of namespaces the same", ["--set", "namespaces={shop}"], ["edit", "serin-routes", "serin-routes-view", "view"]],
    ["a role of one's own says itself whether", ["--set", "sync.clusterRole=deployer,sync.readClusterRole=reader"], ["deployer", "reader"]],
    ["with none they apply nothing, and all that they apply as others is read", ["--set", "sync.clusterRole="], ["serin-routes-view", "view"]],
  ])("%s", async (_, args, roles) => {
    const bindings = (await render(binary, ...args)).filter(({ kind, metadata }) => kind.endsWith("RoleBinding") && metadata.name.startsWith("serin-sync"));
    expect(bindings.map((binding) => String(at(binding, "roleRef.name"))).sort()).toEqual(roles);
  });

  test("every rule of the own role says why", () => {
    const lines = readFileSync(join(chart, "templates/_rules.tpl"), "utf8").split("\n");
    const rules = lines.flatMap((line, index) => (line.startsWith("- apiGroups:") ? [index] : []));
    const silent = rules.filter((index) => !/^# |^ {2}verbs: /.test(lines[index - 1] ?? "") && !lines[index - 1]?.includes("end"));
    expect(rules.length).toBeGreaterThan(15);
    expect(silent.map((index) => lines[index])).toEqual([]);
  });

  test("the pod runs without any privilege, and writes only where a volume is", async () => {
    const objects = await render(binary);
    expect(containerIn(objects).securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    const [deployment] = of(objects, "Deployment");
    expect(at(deployment, "spec.template.spec.securityContext")).toEqual({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
    expect(at(deployment, "spec.replicas")).toBe(2);
  });

  test.each<[string, string[], string]>([
    ["the chart's own version", [], `serin.dev/controller:${String(yamlIn(join(chart, "Chart.yaml"))["appVersion"])}`],
    ["another tag", ["--set", "image.tag=1.2.3"], "serin.dev/controller:1.2.3"],
    ["a digest, which wins", ["--set", `image.tag=1.2.3,image.digest=sha256:${"a".repeat(64)}`], `serin.dev/controller@sha256:${"a".repeat(64)}`],
  ])("the image is of %s", async (_, args, image) => {
    expect(containerIn(await render(binary, ...args)).image).toBe(image);
  });

  test.each<[string, string[], string[]]>([
    ["what is not set, and where to look", [], [
      "clusterName is not set: bad releases are rolled back and held, but no revert is proposed in Git until it is.",
      "provider is not set: each Canary must name its own.",
      "metricsServer is not set: each Canary must name its own.",
      "  kubectl get gitrepositories,syncs,canaries,reverts --all-namespaces",
    ]],
    ["the one that is missing", ["clusterName=one", "provider=nginx"], [
      "metricsServer is not set: each Canary must name its own.",
      "  kubectl get gitrepositories,syncs,canaries,reverts --all-namespaces",
    ]],
    ["what somebody without rights elsewhere may ask", ["clusterName=one", "provider=nginx", "metricsServer=http://p", "namespaces={a,b}"], [
      "  kubectl get gitrepositories,syncs,canaries,reverts --namespace a",
      "  kubectl get gitrepositories,syncs,canaries,reverts --namespace b",
    ]],
  ])("after the installation it says %s", async (_, values, want) => {
    const said = await helm(binary, "install", "serin", chart, "--dry-run=client", ...values.flatMap((value) => ["--set", value]));
    expect(said.split("\n").filter((line) => /not set|kubectl get/.test(line))).toEqual(want);
  });

  test("two releases do not meet: each has names of its own", async () => {
    const ids = (objects: KubeObject[]) => objects.filter(({ kind }) => kind !== "CustomResourceDefinition").map(({ kind, metadata }) => `${kind} ${metadata.namespace} ${metadata.name}`);
    const [one, other] = [ids(await render(binary)), ids(await renderAs("team-b", binary))];
    expect(other.filter((id) => one.includes(id))).toEqual([]);
  });

  test("a rule or dashboard stands in its object as it is, braces and all", async () => {
    const folder = mkdtempSync(join(tmpdir(), "serin-test-chart-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    cpSync(chart, folder, { recursive: true });
    const files = join(folder, "files");
    cpSync(join(chart, "Chart.yaml"), join(files, "Chart.yaml"));
    const rules = { groups: [{ name: "a", rules: [{ alert: "A", expr: "up == 0", annotations: { summary: "{{ $labels.job }} is down" } }] }] };
    writeFileSync(join(files, "alerts.yaml"), JSON.stringify(rules));
    writeFileSync(join(files, "dashboard.json"), '{\n  "title": "{{ serin }}"\n}\n');
    const text = await helm(binary, "template", "serin", folder, "--values", join(chart, "ci/monitoring-values.yaml"));
    const objects = text.split(/^---$/m).map((part) => parse(part) as KubeObject | null).filter((object) => object !== null);
    expect(of(objects, "PrometheusRule")[0]?.["spec"]).toEqual(rules);
    const [dashboard] = of(objects, "ConfigMap");
    const data = at(dashboard, "data") as Record<string, string>;
    expect(JSON.parse(data["serin.json"]!)).toEqual({ title: "{{ serin }}" });
  });
});

describe("what the files say of each other", () => {
  const values = yamlIn(join(chart, "values.yaml"));
  const schema = JSON.parse(readFileSync(join(chart, "values.schema.json"), "utf8")) as Record<string, unknown>;

  function known(part: Record<string, unknown>, path = ""): string[] {
    const properties = part["properties"];
    if (!isRecord(properties)) return [path];
    return Object.entries(properties).flatMap(([name, inner]) => known(inner as Record<string, unknown>, path === "" ? name : `${path}.${name}`));
  }

  test("every value is in the schema, and every name in the schema is a value", () => {
    const inSchema = known(schema).filter((path) => path !== "global");
    const isIn = (paths: readonly string[], path: string) => paths.some((one) => one === path || one.startsWith(`${path}.`) || path.startsWith(`${one}.`));
    expect(leaves(values).filter((path) => !isIn(inSchema, path))).toEqual([]);
    // A map that is empty by default may hold whatever a pod's spec may.
    const paths = leaves(values);
    expect(inSchema.filter((path) => !isIn(paths, path) && path !== "resources.claims")).toEqual([]);
  });

  test("the schema takes no name that it does not know", () => {
    const open: string[] = [];
    const walk = (part: unknown, path: string): void => {
      if (!isRecord(part)) return;
      if (isRecord(part["properties"]) && part["additionalProperties"] !== false) open.push(path);
      for (const [name, inner] of Object.entries(part)) walk(inner, `${path}/${name}`);
    };
    walk(schema, "");
    expect(open).toEqual([]);
  });

  test("routers and log levels are those of the controller", () => {
    expect(at(schema, "properties.provider.enum")).toEqual(["", ...routerNames]);
    expect(at(schema, "properties.logLevel.enum")).toEqual([...logLevels]);
  });

  test("each value differs from its default in one of the files in ci/", () => {
    const tried = valuesFiles.map(yamlIn);
    const same = leaves(values).filter((path) => tried.every((file) => [undefined, JSON.stringify(at(values, path))].includes(JSON.stringify(at(file, path)))));
    expect(same).toEqual([]);
  });

  test("chart and program have one version", () => {
    const { version } = JSON.parse(readFileSync(resolve(chart, "../../package.json"), "utf8")) as { version: string };
    expect(yamlIn(join(chart, "Chart.yaml"))).toMatchObject({ version, appVersion: version });
  });

  test("there is a definition for every kind", () => {
    const files = readdirSync(join(chart, "definitions")).map((file) => basename(file, ".serin.dev.yaml"));
    expect(files.sort()).toEqual(kinds.map(({ plural }) => plural).sort());
  });
});
