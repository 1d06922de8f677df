import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { applyAll } from "../../src/kube/apply.ts";
import { createKube, type KubeClient } from "../../src/kube/client.ts";
import { loadKubeConfig } from "../../src/kube/kubeconfig.ts";
import { platformObjects } from "../../src/sandbox/gateway/platform.ts";
import { customResources, definedKinds } from "./cluster-objects.ts";
import { userName } from "./configs.ts";
import type { Facts } from "./facts.ts";
import { makeAccounts } from "./gitea-accounts.ts";
import { addresses, type Layout, type Settings } from "./layout.ts";
import { type PartsInput, partSpecs } from "./parts.ts";
import { writeFiles, writeKubeconfigs } from "./run-files.ts";
import type { Supervisor } from "./supervisor.ts";

const setupTimeoutMs = 120_000;

/** Starts all parts of a control plane in this network namespace and fills it. Resolves when everything answers. */
export async function startParts(settings: Settings, layout: Layout, supervisor: Supervisor): Promise<Facts> {
  prepareNetwork();
  const tokens = writeFiles(settings, layout);
  const input: PartsInput = { settings, layout, token: tokens[userName("setup")] ?? "" };
  const specs = partSpecs(input);
  const gitHost = supervisor.start(specs.gitea).then(() => makeAccounts(settings, layout));
  const cluster = startCluster({ specs, layout, settings, supervisor, tokens });
  const [gitea] = await Promise.all([gitHost, cluster]);
  const facts: Facts = {
    kubeconfig: layout.kubeconfig,
    apiServer: addresses.apiServer,
    prometheus: addresses.prometheus,
    gateway: addresses.gateway,
    gitea,
    bin: layout.bin,
    dir: settings.dir,
    auditLog: layout.auditLog,
    control: layout.control,
    controllerImages: layout.controllerImages,
    pods: layout.pods,
  };
  writeFileSync(layout.facts, `${JSON.stringify(facts, undefined, 2)}\n`, { mode: 0o600 });
  return facts;
}

function prepareNetwork(): void {
  execFileSync("ip", ["link", "set", "lo", "up"]);
  for (const address of [addresses.pods, `${addresses.node}/32`]) execFileSync("ip", ["addr", "add", address, "dev", "lo"]);
}

interface ClusterInput {
  readonly specs: ReturnType<typeof partSpecs>;
  readonly layout: Layout;
  readonly settings: Settings;
  readonly supervisor: Supervisor;
  readonly tokens: Readonly<Record<string, string>>;
}

/** The order is that of need: what reads the API server comes after it, Envoy after Contour, Contour after its kinds. */
async function startCluster({ specs, layout, settings, supervisor, tokens }: ClusterInput): Promise<void> {
  await supervisor.start(specs.etcd);
  await supervisor.start(specs["kube-apiserver"]);
  writeKubeconfigs(layout, tokens);
  const others = [specs["kube-controller-manager"], specs.node, specs.prometheus].map((spec) => supervisor.start(spec));
  const gateway = async (): Promise<void> => {
    await fill(layout, settings);
    await supervisor.start(specs.contour);
    await supervisor.start(specs.envoy);
  };
  await Promise.all([...others, gateway()]);
}

async function fill(layout: Layout, settings: Settings): Promise<void> {
  const kube = createKube(await loadKubeConfig({ path: layout.kubeconfigOf("setup") }));
  const signal = AbortSignal.timeout(setupTimeoutMs);
  const options = { fieldManager: "control-plane" };
  const folders = { contour: settings.bundles.contour.share, serin: join(settings.root, "crds") };
  try {
    const crds = customResources(folders);
    await applyAll(kube, crds, options, signal);
    await whenServed(kube, crds.length, signal);
    // On a busy machine discovery lags behind the definition, and Contour ends at once when it does.
    for (const kind of [...crds.flatMap(definedKinds), ...platformObjects()])
      while (!(await kube.resource(kind, signal))) await new Promise((resolve) => setTimeout(resolve, 200));
    for (const object of platformObjects()) await kube.apply(object, options, signal);
  } finally {
    await kube.close();
  }
}

/** A kind is served a moment after its definition is stored. */
async function whenServed(kube: KubeClient, count: number, signal: AbortSignal): Promise<void> {
  const kind = { apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition" };
  for (;;) {
    const all = await kube.list(kind, {}, signal);
    const served = all.filter(({ status }) => JSON.stringify(status ?? {}).includes('"type":"Established"')).length;
    if (served >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
