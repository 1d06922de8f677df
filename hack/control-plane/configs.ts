import { hashJson } from "../../src/lib/json.ts";
import { addresses } from "./layout.ts";

/** Users of the control plane's own parts. The audit log leaves them out. */
export const systemUsers = ["manager", "contour", "node", "setup"] as const;
export type SystemUser = (typeof systemUsers)[number];

/** Name of a system user, as the API server knows it. */
export function userName(user: SystemUser): string {
  return `control-plane:${user}`;
}

/** The file that says whose token is whose. All of them may do everything. */
export function tokensFile(tokens: Readonly<Record<string, string>>): string {
  return Object.entries(tokens).map(([name, token]) => `${token},${name},${name},"system:masters"\n`).join("");
}

/** A kubeconfig with a token. @param certificate of the API server, PEM */
export function kubeconfig(options: { server: string; token: string; certificate: string; serverName?: string }): string {
  const { server, token, certificate, serverName } = options;
  const cluster = {
    server,
    "certificate-authority-data": Buffer.from(certificate).toString("base64"),
    ...(serverName === undefined ? {} : { "tls-server-name": serverName }),
  };
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "control-plane", cluster }],
    users: [{ name: "user", user: { token } }],
    contexts: [{ name: "control-plane", context: { cluster: "control-plane", user: "user" } }],
    "current-context": "control-plane",
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}

/** Everything of everybody but the control plane's own users, once per request when it is answered. */
export function auditPolicy(): object {
  const own = [...systemUsers.map(userName), "system:apiserver", "system:anonymous"];
  return {
    apiVersion: "audit.k8s.io/v1",
    kind: "Policy",
    omitStages: ["RequestReceived"],
    rules: [{ level: "None", users: own }, { level: "Metadata" }],
  };
}

/** Contour serves the one Gateway there is. */
export function contourConfig(): object {
  return { gateway: { gatewayRef: { namespace: "gateway", name: "public" } }, "accesslog-level": "disabled" };
}

/** Prometheus scrapes Envoy and the pods in a file that the node keeps: Debian's Prometheus knows no Kubernetes. */
export function prometheusConfig({ scrapeIntervalMs, podTargets }: { scrapeIntervalMs: number; podTargets: string }): object {
  const interval = `${scrapeIntervalMs}ms`;
  return {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    scrape_configs: [
      {
        job_name: "envoy",
        metrics_path: "/stats/prometheus",
        static_configs: [{ targets: [addresses.envoyMetrics] }],
        // Envoy tells hundreds of series a cluster; nobody here asks for the others.
        metric_relabel_configs: [
          { source_labels: ["__name__"], regex: "envoy_cluster_upstream_(rq|cx)(_.*)?|envoy_http_downstream_rq.*", action: "keep" },
        ],
      },
      { job_name: "pods", file_sd_configs: [{ files: [podTargets] }] },
    ],
  };
}

/** Gitea on SQLite, without what nobody asks for here, allowed to call hooks on loopback and pod addresses. */
export function giteaConfig(options: { dir: string; share: string; port: number; secrets: readonly string[] }): string {
  const { dir, share, port, secrets } = options;
  const [secret = "", internal = ""] = secrets.map((seed) => hashJson(seed));
  const sections: Record<string, Record<string, string | number | boolean>> = {
    "": { APP_NAME: "Gitea of the control plane", RUN_MODE: "prod", WORK_PATH: dir },
    database: { DB_TYPE: "sqlite3", PATH: `${dir}/gitea.db`, SQLITE_JOURNAL_MODE: "WAL" },
    server: {
      HTTP_ADDR: "127.0.0.1",
      HTTP_PORT: port,
      ROOT_URL: `http://127.0.0.1:${port}/`,
      STATIC_ROOT_PATH: share,
      DISABLE_SSH: true,
      OFFLINE_MODE: true,
      LFS_START_SERVER: false,
    },
    security: { INSTALL_LOCK: true, SECRET_KEY: secret, INTERNAL_TOKEN: internal, PASSWORD_HASH_ALGO: "pbkdf2" },
    oauth2: { ENABLED: false },
    service: { DISABLE_REGISTRATION: true, DEFAULT_KEEP_EMAIL_PRIVATE: true, NO_REPLY_ADDRESS: "noreply.invalid" },
    webhook: { ALLOWED_HOST_LIST: "*", DELIVER_TIMEOUT: 10, QUEUE_LENGTH: 1_000 },
    repository: { DEFAULT_BRANCH: "main", ENABLE_PUSH_CREATE_ORG: true, DISABLE_HTTP_GIT: false },
    "repository.pull-request": { DEFAULT_DELETE_BRANCH_AFTER_MERGE: false },
    indexer: { ISSUE_INDEXER_TYPE: "db" },
    "cron.update_checker": { ENABLED: false },
    actions: { ENABLED: false },
    packages: { ENABLED: false },
    mailer: { ENABLED: false },
    log: { MODE: "console", LEVEL: "Warn" },
  };
  return Object.entries(sections)
    .map(([section, values]) => {
      const lines = Object.entries(values).map(([key, value]) => `${key} = ${value}`);
      return [...(section === "" ? [] : [`[${section}]`]), ...lines, ""].join("\n");
    })
    .join("\n");
}
