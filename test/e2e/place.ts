import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Facts, readFacts } from "../../hack/control-plane/facts.ts";
import type { RouterName } from "../../src/api/canary.ts";
import type { Informers, Kube } from "../../src/kube/kube.ts";
import type { Controller, ControllerOptions } from "./controller.ts";
import { openCluster } from "./places/cluster.ts";
import { openSandbox } from "./places/sandbox.ts";

/** An account on the Git host. */
export type Account = Facts["gitea"]["accounts"]["person"];

/** The Git host of a place. It speaks Gitea's API. */
export interface GitPlace {
  /** Without a slash at the end; its API is at `${url}/api/v1`. */
  readonly url: string;
  /** Owner of the repositories. */
  readonly organization: string;
  /** `person` may merge, `bot` is an image bot, `serin` is the controller, `readOnly` may only read. */
  readonly accounts: Facts["gitea"]["accounts"];
  /** Makes an empty repository. */
  createRepository(name: string): Promise<void>;
}

/** Where the suite runs: a cluster with a gateway, a Prometheus and a Git host, and a way to start controllers on it. */
export interface Place {
  readonly name: "sandbox" | "control plane" | "cluster";
  /** File of a cluster administrator. */
  readonly kubeconfig: string;
  /** The test's own client. */
  readonly kube: Kube;
  /** The test's own copies, so that it waits for changes instead of asking again and again. */
  readonly informers: Informers;
  readonly prometheus: string;
  /** Address of the gateway; routes are told apart by the Host header. */
  readonly gateway: string;
  readonly git: GitPlace;
  /** A folder of this run's own. */
  readonly dir: string;
  /** Routers that the gateway obeys. */
  readonly routers: readonly RouterName[];
  /** Whether the cluster outlives the test's process, so that whatever was made in it has to go. */
  readonly lasting: boolean;
  /** Starts a controller as a process of its own. It ends with the place at the latest. */
  startController(options?: ControllerOptions): Promise<Controller>;
  /** Ends everything that was started here, and waits for it. */
  close(): Promise<void>;
}

/** What a sandbox is told; other places are as they are. */
export interface PlaceOptions {
  /** Default: a second. */
  readonly scrapeIntervalMs?: number;
}

/**
 * Opens the place that the environment names: the control plane when the process runs inside one (SERIN_CONTROL_PLANE), any
 * cluster when SERIN_E2E_GATEWAY says where its gateway is, else a sandbox in this process.
 */
export async function openPlace(options: PlaceOptions = {}): Promise<Place> {
  const dir = mkdtempSync(join(tmpdir(), "serin-e2e-"));
  const facts = readFacts(process.env);
  if (facts) {
    const { kubeconfig, prometheus, gateway, gitea } = facts;
    return openCluster({ name: "control plane", dir, kubeconfig, prometheus, gateway, git: gitea });
  }
  const named = namedCluster(process.env);
  return named ? openCluster({ name: "cluster", dir, ...named }) : openSandbox(dir, options);
}

type Environment = Readonly<Record<string, string | undefined>>;

/** A cluster that a person names by variables; `undefined` when they name none. Throws naming the one that is missing. */
function namedCluster(environment: Environment): Omit<Parameters<typeof openCluster>[0], "name" | "dir"> | undefined {
  if (environment["SERIN_E2E_GATEWAY"] === undefined) return undefined;
  const must = (variable: string): string => {
    const value = environment[variable];
    if (!value) throw new Error(`${variable} is missing: CONTRIBUTING.md says which variables a cluster of one's own needs`);
    return value;
  };
  const account = (variable: string): Account => {
    const [login = "", password = "", token = ""] = must(variable).split(":");
    if (token === "") throw new Error(`${variable} must be login:password:token`);
    return { login, password, token };
  };
  const serin = account("SERIN_E2E_GIT_SERIN");
  return {
    kubeconfig: must("KUBECONFIG"),
    prometheus: must("SERIN_E2E_PROMETHEUS"),
    gateway: must("SERIN_E2E_GATEWAY"),
    git: {
      url: must("SERIN_E2E_GIT").replace(/\/+$/, ""),
      organization: must("SERIN_E2E_GIT_ORGANIZATION"),
      accounts: { person: account("SERIN_E2E_GIT_PERSON"), bot: account("SERIN_E2E_GIT_BOT"), serin, readOnly: serin },
    },
  };
}
