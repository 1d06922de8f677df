import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Agent, request } from "undici";
import type { PartName } from "./facts.ts";
import { addresses, type Layout, type Settings } from "./layout.ts";
import type { PartSpec } from "./supervisor.ts";

/** What the parts are started with. */
export interface PartsInput {
  readonly settings: Settings;
  readonly layout: Layout;
  /** Token of a user that may read everything. */
  readonly token: string;
}

/** How each part is started. */
export function partSpecs(input: PartsInput): Readonly<Record<PartName, PartSpec>> {
  const specs = [etcd, apiServer, controllerManager, contour, envoy, prometheus, gitea, node].map((spec) => spec(input));
  return Object.fromEntries(specs.map((spec) => [spec.name, spec])) as Record<PartName, PartSpec>;
}

function etcd({ settings, layout }: PartsInput): PartSpec {
  const flags = {
    "data-dir": layout.etcd,
    "listen-client-urls": addresses.etcd,
    "advertise-client-urls": addresses.etcd,
    "listen-peer-urls": addresses.etcdPeer,
    "initial-advertise-peer-urls": addresses.etcdPeer,
    "initial-cluster": `default=${addresses.etcdPeer}`,
    "unsafe-no-fsync": true,
    "quota-backend-bytes": 4 * 1024 ** 3,
    "log-level": "warn",
  };
  return { name: "etcd", command: [binary(settings, "etcd"), ...flagList(flags)], ready: answers(`${addresses.etcd}/health`) };
}

function apiServer({ settings, layout, token }: PartsInput): PartSpec {
  const flags = {
    "etcd-servers": addresses.etcd,
    "cert-dir": layout.certificates,
    "secure-port": 6443,
    "bind-address": "0.0.0.0",
    "advertise-address": addresses.node,
    "service-account-key-file": layout.serviceAccountKey,
    "service-account-signing-key-file": layout.serviceAccountKey,
    "service-account-issuer": "https://kubernetes.default.svc",
    "token-auth-file": layout.tokens,
    "authorization-mode": "RBAC",
    "service-cluster-ip-range": addresses.services,
    "allow-privileged": true,
    "audit-policy-file": layout.auditPolicy,
    "audit-log-path": layout.auditLog,
    // It would begin a new file at 100 MB, and whoever counts requests would miss some.
    "audit-log-maxsize": 2_000,
    // The node answers for the logs of its pods.
    "kubelet-preferred-address-types": "InternalIP",
  };
  const ready = async (signal: AbortSignal): Promise<void> => {
    const ca = readFileSync(layout.certificate, "utf8");
    const dispatcher = new Agent({ connect: { ca } });
    try {
      await expectOk(`${addresses.apiServer}/readyz`, { dispatcher, signal, headers: { authorization: `Bearer ${token}` } });
    } finally {
      await dispatcher.close();
    }
  };
  return { name: "kube-apiserver", command: [binary(settings, "kube-apiserver"), ...flagList(flags)], ready };
}

function controllerManager({ settings, layout }: PartsInput): PartSpec {
  const flags = {
    kubeconfig: layout.kubeconfigOf("manager"),
    "service-account-private-key-file": layout.serviceAccountKey,
    "root-ca-file": layout.certificate,
    "use-service-account-credentials": false,
    "leader-elect": false,
    // Nobody renews the Lease of our node.
    controllers: "*,-nodelifecycle",
    "secure-port": 10_257,
    "bind-address": "127.0.0.1",
    "authorization-always-allow-paths": "/healthz",
    // Its own limit of 20 requests a second would slow big rollouts.
    "kube-api-qps": 200,
    "kube-api-burst": 400,
  };
  // It signs its own certificate in memory; nobody else is here to be mistaken for it.
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  const ready = async (signal: AbortSignal): Promise<void> => await expectOk("https://127.0.0.1:10257/healthz", { dispatcher, signal });
  return { name: "kube-controller-manager", command: [binary(settings, "kube-controller-manager"), ...flagList(flags)], ready };
}

function contour({ settings, layout }: PartsInput): PartSpec {
  const flags = {
    kubeconfig: layout.kubeconfigOf("contour"),
    insecure: true,
    "xds-address": "127.0.0.1",
    "xds-port": addresses.contourXdsPort,
    "http-address": "127.0.0.1",
    "health-address": "127.0.0.1",
    "stats-address": "127.0.0.1",
    // On all addresses it would be in the way of pods that listen on the same port.
    "envoy-service-http-address": "127.0.0.1",
    "envoy-service-https-address": "127.0.0.1",
    "disable-leader-election": true,
    "config-path": layout.contour,
  };
  return { name: "contour", command: [binary(settings, "contour"), "serve", ...flagList(flags)], ready: answers(addresses.contourHealth) };
}

function envoy({ settings, layout }: PartsInput): PartSpec {
  // Hot restart would share memory with the Envoys of other runs on this machine.
  const flags = {
    "config-path": layout.envoy,
    concurrency: 2,
    "disable-hot-restart": true,
    "service-cluster": "gateway",
    "service-node": "envoy",
    "log-level": "warn",
  } as const;
  // Contour sends the listener that answers here, so an answer means that it has been heard.
  const ready = answers(`http://${addresses.envoyMetrics}/ready`);
  return { name: "envoy", command: [binary(settings, "envoy"), ...separateFlags(flags)], ready };
}

function prometheus({ settings, layout }: PartsInput): PartSpec {
  const flags = {
    "config.file": layout.prometheusConfig,
    "storage.tsdb.path": join(layout.prometheus, "data"),
    "web.listen-address": new URL(addresses.prometheus).host,
    "web.enable-lifecycle": true,
    "web.enable-admin-api": true,
    // By default new targets wait for up to 5 s more.
    "scrape.discovery-reload-interval": "500ms",
  };
  return { name: "prometheus", command: [settings.prometheus, ...flagList(flags)], ready: answers(`${addresses.prometheus}/-/ready`) };
}

/** It refuses to run as root, which we are here; in a user namespace of its own it is somebody else, and its files are ours. */
export const asNobody: readonly [string, ...string[]] = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"];

function gitea({ settings, layout }: PartsInput): PartSpec {
  const command = [...asNobody, binary(settings, "gitea"), "--config", layout.giteaConfig, "web"] as const;
  const url = `http://127.0.0.1:${settings.giteaPort}/api/healthz`;
  return { name: "gitea", command, env: giteaEnvironment(layout), ready: answers(url) };
}

/** Gitea keeps git's settings in its own folder. */
export function giteaEnvironment(layout: Layout): Record<string, string> {
  return { HOME: layout.gitea, GITEA_WORK_DIR: layout.gitea, USER: "git" };
}

function node({ settings, layout }: PartsInput): PartSpec {
  const script = join(settings.root, "hack", "control-plane", "node.ts");
  return { name: "node", command: [process.execPath, script, layout.settings], ready: answers(addresses.nodeHealth) };
}

/** Path of a bundled binary. */
export function binary({ dir }: Settings, name: string): string {
  return join(dir, "bin", name);
}

function flagList(flags: Readonly<Record<string, string | number | boolean>>): string[] {
  return Object.entries(flags).map(([name, value]) => (value === true ? `--${name}` : `--${name}=${value}`));
}

/** Envoy wants a flag and its value apart. */
function separateFlags(flags: Readonly<Record<string, string | number | true>>): string[] {
  return Object.entries(flags).flatMap(([name, value]) => (value === true ? [`--${name}`] : [`--${name}`, String(value)]));
}

function answers(url: string): (signal: AbortSignal) => Promise<void> {
  return async (signal) => await expectOk(url, { signal });
}

async function expectOk(
  url: string,
  options: { signal: AbortSignal; dispatcher?: Agent; headers?: Record<string, string> },
): Promise<void> {
  const { statusCode, body } = await request(url, options);
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`${url} answered ${statusCode}: ${text.slice(0, 200)}`);
}
