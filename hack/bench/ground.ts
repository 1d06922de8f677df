import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { crdOf } from "../../src/api/crd.ts";
import { kinds } from "../../src/api/kinds.ts";
import { createKube, type KubeClient } from "../../src/kube/client.ts";
import { loadKubeConfig } from "../../src/kube/kubeconfig.ts";
import type { Facts } from "../control-plane/facts.ts";
import { type Audit, openAudit } from "./audit.ts";
import { createIdentity, type Identity } from "./identity.ts";
import { removeLeftovers } from "./leftovers.ts";
import { type Remote, startRemote } from "./remote.ts";
import { buildProgram, type Serin, startSerin } from "./serin.ts";

/** What every scenario works on. */
export interface Ground {
  readonly facts: Facts;
  /** As an administrator: not counted. */
  readonly kube: KubeClient;
  readonly audit: Audit;
  readonly identity: Identity;
  readonly remote: Remote;
  /** Shorter and with fewer objects. */
  readonly quick: boolean;
  /** A name that no other scenario of this run has. */
  readonly name: (prefix: string) => string;
  /** A controller of its own for the work; ended afterwards. */
  withSerin<T>(work: (serin: Serin) => Promise<T>, environment?: Readonly<Record<string, string>>): Promise<T>;
  /** Ends controllers that are left and removes what scenarios left in the cluster, so that the next one begins on even ground. */
  sweep(signal: AbortSignal): Promise<void>;
  say(text: string): void;
  close(): Promise<void>;
}

/** Prepares a control plane that runs: our kinds, an identity, a Git server. */
export async function openGround(
  facts: Facts,
  { quick, say, signal }: { quick: boolean; say: (text: string) => void; signal: AbortSignal },
): Promise<Ground> {
  const dir = join(facts.dir, `bench-${process.pid}`);
  mkdirSync(dir, { recursive: true });
  const connection = await loadKubeConfig({ path: facts.kubeconfig });
  const kube = createKube(connection);
  for (const kind of kinds) await kube.apply(crdOf(kind), { fieldManager: "bench" }, signal);
  const identity = await createIdentity(kube, connection, join(dir, "kubeconfig"), signal);
  const remote = await startRemote(join(dir, "git"));
  const program = buildProgram(join(dir, "program"));
  let count = 0;
  const running = new Set<Serin>();
  return {
    facts,
    kube,
    audit: openAudit(facts.auditLog, identity.username),
    identity,
    remote,
    quick,
    name: (prefix) => `${prefix}-${process.pid}-${++count}`,
    withSerin: async (work, environment) => {
      const serin = await startSerin({
        program,
        dir: join(dir, `serin-${++count}`),
        kubeconfig: identity.kubeconfig,
        environment: { SERIN_METRICS_SERVER: facts.prometheus, ...environment },
      });
      running.add(serin);
      try {
        return await work(serin);
      } finally {
        running.delete(serin);
        await serin.stop();
      }
    },
    sweep: async (within) => {
      await Promise.all([...running].map((serin) => serin.stop()));
      await removeLeftovers(kube, `-${process.pid}-`, within);
    },
    say,
    close: async () => {
      await remote.close();
      await kube.close();
    },
  };
}
