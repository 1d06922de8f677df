import { randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { routerNames } from "./api/canary.ts";
import { logLevels } from "./lib/log.ts";

const dnsLabel = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "must be a DNS label: lower-case letters, digits and -");
const httpURL = z.string().regex(/^https?:\/\/[^\s@]+$/, "must be an http:// or https:// address without credentials");

function oneOf<const Names extends readonly [string, ...string[]]>(choices: Names) {
  return z.enum(choices, { error: `must be one of ${choices.join(", ")}` });
}

function wholeNumber(min: number, max: number) {
  const wanted = `must be a whole number from ${min} to ${max}`;
  return z.string().regex(/^\d{1,9}$/, wanted).transform(Number).refine((value) => value >= min && value <= max, wanted);
}

/** Every setting: its environment variable, how it is read, and what it is for. A flag is the variable without SERIN_, in kebab-case. */
const settings = {
  KUBECONFIG: z.string().min(1).optional().describe("File that says where the API server is. Default: the pod's service account, else ~/.kube/config."),
  SERIN_CLUSTER_NAME: dnsLabel.optional().describe("Name of this cluster in revert branches. Required once a GitRepository names a Git host."),
  SERIN_MESH_PROVIDER: oneOf(routerNames).optional().describe(`Router of Canaries that name none: ${routerNames.join(" or ")}.`),
  SERIN_METRICS_SERVER: httpURL.optional().describe("Address of the Prometheus of Canaries that name none."),
  SERIN_NAMESPACES: z.string().optional().transform((text) => text?.split(",").map((name) => name.trim()).filter(Boolean)).describe("Comma-separated namespaces to work in. Default: all."),
  SERIN_DEFAULT_SERVICE_ACCOUNT: dnsLabel.optional().describe("ServiceAccount, in the Sync's namespace, as which Syncs write that name none. Default: the controller's own rights."),
  SERIN_LOG_LEVEL: oneOf(logLevels).default("info").describe(`How much is logged: ${logLevels.join(", ")}. Default: info.`),
  SERIN_PORT: wholeNumber(0, 65_535).default(8080).describe("Port for webhooks, health and metrics; 0: any free one. Default: 8080."),
  SERIN_LISTEN_ADDRESS: z.string().refine((text) => isIP(text) !== 0, "must be an IP address").optional().describe("Address to listen on, e.g. 127.0.0.1. Default: all of the machine's."),
  SERIN_GIT_DIRECTORY: z.string().min(1).default(join(tmpdir(), "serin-git")).describe("Cache of repositories; may be emptied at any time. Default: serin-git in the system's temporary folder."),
  SERIN_GIT_MEMORY_MIB: wholeNumber(128, 1_048_576).default(768).describe("Memory above which the Git process is ended, in MiB. Default: 768."),
  SERIN_LEADER_ELECTION_NAMESPACE: dnsLabel.optional().describe("Namespace of the Lease. Default: the pod's, else default."),
  SERIN_POD_NAME: z.string().min(1).default(hostname()).describe("Name of this replica. Default: the host's."),
  PATH: z.string().default("").describe("Where kustomize is looked for."),
} as const;

/** What the process was told by its environment and flags. */
export interface Config {
  readonly kubeconfig: string | undefined;
  readonly clusterName: string | undefined;
  readonly provider: (typeof routerNames)[number] | undefined;
  readonly metricsServer: string | undefined;
  readonly namespaces: readonly string[] | undefined;
  /** `undefined`: Syncs that name no ServiceAccount write with the controller's own rights. */
  readonly defaultServiceAccount: string | undefined;
  readonly logLevel: (typeof logLevels)[number];
  readonly port: number;
  /** `undefined`: all of the machine's. */
  readonly listenAddress: string | undefined;
  readonly gitDirectory: string;
  readonly gitMemoryLimitBytes: number;
  readonly leaderElectionNamespace: string | undefined;
  /** Different for every process, also after a restart. */
  readonly identity: string;
  readonly searchPath: string;
}

/** One flag of the command line, for its help text. */
export interface Flag {
  readonly name: string;
  readonly variable: string;
  readonly description: string;
}

/** The flags that stand for variables, e.g. `cluster-name` for SERIN_CLUSTER_NAME. */
export const flags: readonly Flag[] = Object.entries(settings)
  .filter(([variable]) => variable !== "PATH")
  .map(([variable, schema]) => ({ variable, name: flagOf(variable), description: schema.description ?? "" }));

function flagOf(variable: string): string {
  return variable.replace(/^SERIN_/, "").toLowerCase().replaceAll("_", "-");
}

/**
 * Reads the settings; flags win over the environment. Throws one error that names every bad variable.
 * @param given values of flags, by flag name
 */
export function parseConfig(
  environment: Readonly<Record<string, string | undefined>>,
  given: Readonly<Record<string, string | undefined>> = {},
): Config {
  const values = Object.fromEntries(
    Object.keys(settings).map((variable) => [variable, given[flagOf(variable)] ?? (environment[variable] || undefined)]),
  );
  const parsed = z.object(settings).safeParse(values);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${String(path[0])} (--${flagOf(String(path[0]))}): ${message}`);
    throw new Error(`the configuration is not valid:\n  ${problems.join("\n  ")}`);
  }
  const read = parsed.data;
  return {
    kubeconfig: read.KUBECONFIG,
    clusterName: read.SERIN_CLUSTER_NAME,
    provider: read.SERIN_MESH_PROVIDER,
    metricsServer: read.SERIN_METRICS_SERVER,
    namespaces: read.SERIN_NAMESPACES,
    defaultServiceAccount: read.SERIN_DEFAULT_SERVICE_ACCOUNT,
    logLevel: read.SERIN_LOG_LEVEL,
    port: read.SERIN_PORT,
    listenAddress: read.SERIN_LISTEN_ADDRESS,
    gitDirectory: read.SERIN_GIT_DIRECTORY,
    gitMemoryLimitBytes: read.SERIN_GIT_MEMORY_MIB * 1024 * 1024,
    leaderElectionNamespace: read.SERIN_LEADER_ELECTION_NAMESPACE,
    identity: `${read.SERIN_POD_NAME}_${randomBytes(4).toString("hex")}`,
    searchPath: read.PATH,
  };
}

/** The settings of this process. */
export function readConfig(given: Readonly<Record<string, string | undefined>> = {}): Config {
  return parseConfig(process.env, given);
}
