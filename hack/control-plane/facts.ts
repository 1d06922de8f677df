import { readFileSync } from "node:fs";
import { z } from "zod";

/** The processes of a control plane, in the order in which they are started. */
export const partNames = ["etcd", "kube-apiserver", "kube-controller-manager", "contour", "envoy", "prometheus", "gitea", "node"] as const;

/** One process of a control plane. */
export type PartName = (typeof partNames)[number];

const account = z.object({ login: z.string(), password: z.string(), token: z.string() });

/** An account on the Git host. */
export type Account = z.infer<typeof account>;

const facts = z.object({
  /** Kubeconfig of a cluster administrator. */
  kubeconfig: z.string(),
  /** Address of the API server, https. */
  apiServer: z.string(),
  prometheus: z.string(),
  /** Where Envoy listens; routes are told apart by the Host header. */
  gateway: z.string(),
  gitea: z.object({
    url: z.string(),
    /** Owner of repositories that tests make. */
    organization: z.string(),
    /** `person` may merge, `bot` is an image bot, `serin` is the controller, `readOnly` may only read. */
    accounts: z.object({ person: account, bot: account, serin: account, readOnly: account }),
  }),
  /** Folder of the binaries: kubectl, helm, kustomize and the parts. */
  bin: z.string(),
  /** Folder of logs and state of this run. */
  dir: z.string(),
  /** One JSON line a request, of all users but the control plane's own. */
  auditLog: z.string(),
  /** Unix socket on which parts are stopped, started and frozen. */
  control: z.string(),
  /**
   * File that says which bundle `serin.dev/controller:VERSION` runs: `{"0.1.0": "/checkout/dist/serin.mjs"}`. Read at each
   * start of such a container, so a command may add versions.
   */
  controllerImages: z.string(),
  /** Folder with `NAMESPACE/POD/CONTAINER.log` and `.pid` of the pods that are processes. */
  pods: z.string(),
});

/** Where everything of a running control plane is, as seen from inside its network namespace. */
export type Facts = z.infer<typeof facts>;

/** Variable that names the file with the facts; set for every command that runs inside. */
export const factsVariable = "SERIN_CONTROL_PLANE";

/** The facts of the control plane that this process runs in; `undefined` outside of one. */
export function readFacts(environment: Readonly<Record<string, string | undefined>>): Facts | undefined {
  const file = environment[factsVariable];
  return file === undefined ? undefined : facts.parse(JSON.parse(readFileSync(file, "utf8")));
}
