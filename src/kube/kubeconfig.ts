import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import type { KubeConfig as ClientNodeConfig } from "@kubernetes/client-node/dist/config.js";

/** What one request needs to be let in. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsOptions;
}

/** How the server proves who it is, and we who we are. */
export interface TlsOptions {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
  /** False only when the kubeconfig says `insecure-skip-tls-verify`. */
  readonly rejectUnauthorized?: boolean;
}

/** One API server and how to get in. */
export interface KubeConnection {
  /** e.g. `https://10.0.0.1:6443`, without a slash at the end. */
  readonly server: string;
  /** The context's namespace; `default` when it names none. */
  readonly namespace: string;
  /** An HTTP proxy to go through. */
  readonly proxyUrl?: string | undefined;
  /** Credentials for the next request. Ask for each: tokens rotate, and plugins hand out short-lived ones. */
  credentials(): Promise<Credentials>;
  /** The server refused the last credentials: read them anew next time. */
  refresh(): void;
}

/** Where to find the kubeconfig. */
interface KubeConfigSource {
  /** A file, or several joined as in `$KUBECONFIG`. Missing: the standard places (`~/.kube/config`, then the pod's service account). */
  readonly path?: string | undefined;
  /** Missing: the current context. */
  readonly context?: string | undefined;
  /** Use the pod's service account and nothing else. */
  readonly inCluster?: boolean | undefined;
}

/** An API server that asks for nothing, or for a fixed bearer token: the sandbox and tests. */
export function serverAt(server: string, token?: string): KubeConnection {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return { server: server.replace(/\/+$/, ""), namespace: "default", credentials: async () => ({ headers, tls: {} }), refresh: () => {} };
}

/**
 * The connection that a kubeconfig describes, with every way of authentication that client-node knows (certificates,
 * tokens, token files, exec plugins, OIDC). Throws an error that names the file, context or cluster that is missing.
 */
export async function loadKubeConfig(source: KubeConfigSource): Promise<KubeConnection> {
  // Loaded late: it is by far the largest import, and only those who talk to a real cluster need it.
  const { KubeConfig } = await import("@kubernetes/client-node/dist/config.js");
  const load = (): ClientNodeConfig => currentOnly(new KubeConfig(), fill(new KubeConfig(), source, () => new KubeConfig()), source);
  let config = load();
  const cluster = config.getCurrentCluster();
  return {
    server: (cluster?.server ?? "").replace(/\/+$/, ""),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? "default",
    proxyUrl: proxyOf(cluster?.proxyUrl),
    credentials: () => credentialsOf(config),
    refresh: () => {
      config = load();
    },
  };
}

function fill(config: ClientNodeConfig, { path, inCluster }: KubeConfigSource, another: () => ClientNodeConfig): ClientNodeConfig {
  if (inCluster) config.loadFromCluster();
  else if (path === undefined) loadDefault(config);
  else {
    for (const file of path.split(delimiter).filter((name) => name !== "")) {
      const next = another();
      loadFile(next, file);
      config.mergeConfig(next, Boolean(config.getCurrentContext()));
    }
  }
  return config;
}

/** What client-node takes where nothing says where the API server is: nobody listens there. */
const guessed = { context: "loaded-context", server: "http://localhost:8080" } as const;

function loadDefault(config: ClientNodeConfig): void {
  config.loadFromDefault();
  if (config.getCurrentContext() !== guessed.context || config.getCurrentCluster()?.server !== guessed.server) return;
  throw new Error("there is no kubeconfig: --kubeconfig and KUBECONFIG name none, ~/.kube/config is not there, and this is no pod; name one");
}

function loadFile(config: ClientNodeConfig, file: string): void {
  if (!existsSync(file)) throw new Error(`there is no kubeconfig ${file}; correct --kubeconfig or KUBECONFIG, which name it`);
  try {
    config.loadFromFile(file);
  } catch (error) {
    throw new Error(`read kubeconfig ${file}`, { cause: error });
  }
}

/** Only the chosen context, with two of client-node's refusals made harmless: no user at all, and plain HTTP. */
function currentOnly(target: ClientNodeConfig, config: ClientNodeConfig, source: KubeConfigSource): ClientNodeConfig {
  const where = source.path === undefined ? "the kubeconfig" : `kubeconfig ${source.path}`;
  const name = source.context ?? config.getCurrentContext();
  if (!name) throw new Error(`${where} has no current context; choose one with kubectl config use-context`);
  const context = config.getContextObject(name);
  if (!context) throw new Error(`${where} has no context "${name}"`);
  const cluster = config.getCluster(context.cluster);
  if (!cluster) throw new Error(`${where}: context "${name}" names the cluster "${context.cluster}", which is not there`);
  const plainHttp = cluster.server.startsWith("http://");
  target.loadFromOptions({
    clusters: [plainHttp ? { ...cluster, skipTLSVerify: true } : cluster],
    users: [config.getUser(context.user) ?? { name: context.user }],
    contexts: [context],
    currentContext: name,
  });
  return target;
}

function proxyOf(proxyUrl: string | undefined): string | undefined {
  if (proxyUrl === undefined || /^https?:/.test(proxyUrl)) return proxyUrl;
  throw new Error(`the kubeconfig's proxy-url ${new URL(proxyUrl).protocol}//… is not supported; only http and https proxies are`);
}

/** The options that client-node fills in for Node's own https client, as far as authentication goes. */
interface FilledOptions {
  headers?: Record<string, string>;
  auth?: string;
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  servername?: string;
  rejectUnauthorized?: boolean;
}

async function credentialsOf(config: ClientNodeConfig): Promise<Credentials> {
  const filled: FilledOptions = {};
  try {
    await config.applyToHTTPSOptions(filled);
  } catch (error) {
    throw new Error("get credentials for the API server", { cause: error });
  }
  const { headers = {}, auth, ca, cert, key, servername, rejectUnauthorized } = filled;
  const basic = auth === undefined ? {} : { Authorization: `Basic ${Buffer.from(auth).toString("base64")}` };
  return {
    headers: { ...basic, ...headers },
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(servername === undefined ? {} : { servername }),
      ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
    },
  };
}
