import { rmSync } from "node:fs";
import { createKube } from "../../../src/kube/client.ts";
import { createInformers } from "../../../src/kube/informers.ts";
import { loadKubeConfig } from "../../../src/kube/kubeconfig.ts";
import { createLogger } from "../../../src/lib/log.ts";
import { controllers } from "../controller.ts";
import { gitApi } from "../git-api.ts";
import type { GitPlace, Place } from "../place.ts";

/** Where everything of a cluster that runs already is. */
interface ClusterOptions {
  readonly name: "control plane" | "cluster";
  readonly dir: string;
  readonly kubeconfig: string;
  readonly prometheus: string;
  readonly gateway: string;
  readonly git: Omit<GitPlace, "createRepository">;
}

/** Opens a cluster that runs already: the control plane, or somebody's own. */
export async function openCluster({ name, dir, kubeconfig, prometheus, gateway, git }: ClusterOptions): Promise<Place> {
  const connection = await loadKubeConfig({ path: kubeconfig });
  const life = new AbortController();
  const kube = createKube(connection);
  const informers = createInformers({ watch: kube, log: createLogger("error"), signal: life.signal });
  const running = controllers({ dir, kubeconfig, connection, prometheus });
  const createRepository = async (repository: string): Promise<void> => {
    const body = { name: repository, private: false, auto_init: false, default_branch: "main" };
    const { status, json } = await gitApi(git.url, git.accounts.person, "POST", `/orgs/${git.organization}/repos`, body);
    if (status !== 201) throw new Error(`Git host: repository ${repository} not made: ${status} ${JSON.stringify(json)}`);
  };
  return {
    name,
    kubeconfig,
    kube,
    informers,
    prometheus,
    gateway,
    git: { ...git, createRepository },
    dir,
    // ingress-nginx cannot be had on the control plane, and not every cluster has it.
    routers: ["gatewayapi:v1"],
    lasting: true,
    startController: running.start,
    close: async () => {
      await running.close();
      life.abort(new Error("the place is closed"));
      await kube.close();
      rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
