import { join } from "node:path";
import { z } from "zod";
import { bundleNames } from "./recipe.ts";

/** Everything a control plane is told before it starts: the outer process writes it, the one inside reads it. */
export const settings = z.object({
  /** Folder of this run. */
  dir: z.string(),
  /** The checkout. */
  root: z.string(),
  bundles: z.record(z.enum(bundleNames), z.object({ bin: z.string(), share: z.string() })),
  prometheus: z.string(),
  scrapeIntervalMs: z.int().min(100),
  /** Gitea's port, the same inside and on the host, so that the links in its pages lead somewhere on both sides. */
  giteaPort: z.int(),
  /** What runs inside; empty: nothing, until told to stop. */
  command: z.array(z.string()),
});
export type Settings = z.infer<typeof settings>;

/** Where things are inside; nobody else is there, so all ports are free. */
export const addresses = {
  /** The API server's own: it refuses to be reached by a loopback address. */
  node: "192.0.2.10",
  /** One address makes the whole net local, so that pods need none of their own on the interface. */
  pods: "10.244.0.1/16",
  podNetwork: "10.244",
  services: "10.96.0.0/16",
  apiServer: "https://192.0.2.10:6443",
  etcd: "http://127.0.0.1:2379",
  etcdPeer: "http://127.0.0.1:2380",
  prometheus: "http://127.0.0.1:9090",
  /** Envoy listens here for the Gateway's port 80. */
  gateway: "http://127.0.0.1:8080",
  envoyMetrics: "127.0.0.1:8002",
  contourXdsPort: 8001,
  contourHealth: "http://127.0.0.1:8000/healthz",
  /** Plain HTTP, as a kubelet's. */
  nodeHealth: "http://127.0.0.1:10248/healthz",
  nodeLogsPort: 10250,
} as const;

/** Paths within the folder of a run. */
export function layoutOf(dir: string) {
  return {
    settings: join(dir, "settings.json"),
    facts: join(dir, "facts.json"),
    bin: join(dir, "bin"),
    logs: join(dir, "logs"),
    kubeconfig: join(dir, "kubeconfig"),
    /** Kubeconfig of one of the control plane's own users. */
    kubeconfigOf: (user: string) => join(dir, "users", user),
    users: join(dir, "users"),
    tokens: join(dir, "tokens.csv"),
    auditPolicy: join(dir, "audit-policy.json"),
    auditLog: join(dir, "audit.log"),
    certificates: join(dir, "certificates"),
    /** Of the API server, made and signed by itself. */
    certificate: join(dir, "certificates", "apiserver.crt"),
    certificateKey: join(dir, "certificates", "apiserver.key"),
    serviceAccountKey: join(dir, "service-account.key"),
    etcd: join(dir, "etcd"),
    contour: join(dir, "contour.json"),
    envoy: join(dir, "envoy.json"),
    envoyAdmin: join(dir, "envoy.sock"),
    prometheus: join(dir, "prometheus"),
    prometheusConfig: join(dir, "prometheus", "prometheus.json"),
    podTargets: join(dir, "prometheus", "pods.json"),
    gitea: join(dir, "gitea"),
    giteaConfig: join(dir, "gitea", "app.ini"),
    pods: join(dir, "pods"),
    controllerImages: join(dir, "controller-images.json"),
    control: join(dir, "control.sock"),
    relay: (name: string) => join(dir, `relay-${name}.sock`),
  };
}
export type Layout = ReturnType<typeof layoutOf>;
