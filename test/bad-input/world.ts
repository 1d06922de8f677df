import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crdOf } from "../../src/api/crd.ts";
import { kinds } from "../../src/api/kinds.ts";
import { apiVersion, type CommonStatus, type Condition } from "../../src/api/meta.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { runControllers, type World } from "../../src/controllers/wiring.ts";
import { createGit } from "../../src/git/create-git.ts";
import { hosts } from "../../src/githost/hosts.ts";
import { createKube, type KubeClient } from "../../src/kube/client.ts";
import { createEvents } from "../../src/kube/events.ts";
import { createInformers } from "../../src/kube/informers.ts";
import { serverAt } from "../../src/kube/kubeconfig.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { metricProviders } from "../../src/metrics/providers.ts";
import { createRenderers } from "../../src/render/renderers.ts";
import { routers } from "../../src/routing/routers.ts";
import { startApiServer } from "../../src/sandbox/api-server/api-server.ts";
import { gatewayCrds } from "../../src/sandbox/gateway/crds.ts";
import { eventually, never } from "../sync-world.ts";

/** All controllers, as `serin controller` runs them, on an API server in this process. No pods run. */
export interface ControllersWorld {
  readonly kube: KubeClient;
  /** Applies objects as a person does. */
  apply(...objects: KubeObject[]): Promise<void>;
  /** Waits for a condition of the object's newest generation, as `kubectl wait` does, and returns it. */
  told(kind: string, object: { namespace: string; name: string }, wanted: Partial<Condition>): Promise<Condition>;
  /** Waits until the object's newest generation no longer has this reason. */
  mended(kind: string, object: { namespace: string; name: string }, reason: string): Promise<void>;
  /** Events about the objects of a namespace, as `Reason message`. */
  events(namespace: string): Promise<string[]>;
  close(): Promise<void>;
}

/** What the controllers are started with. */
export interface ControllersOptions {
  readonly defaults?: World["defaults"];
  /** The kinds as an API server before the last update knew them; default: as they are. */
  readonly crds?: readonly KubeObject[];
}

/** Starts one, with namespace `shop`. */
export async function startControllers({
  defaults = {},
  crds = kinds.map((kind) => crdOf(kind)),
}: ControllersOptions): Promise<ControllersWorld> {
  const dir = mkdtempSync(join(tmpdir(), "serin-bad-input-"));
  const life = new AbortController();
  const { signal } = life;
  const server = await startApiServer();
  const kube = createKube(serverAt(server.url));
  const apply = async (...objects: KubeObject[]): Promise<void> => {
    for (const object of objects) await kube.apply(object, { fieldManager: "kubectl" }, never());
  };
  await apply(...crds, ...gatewayCrds(), { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
  const [clock, log] = [systemClock, silentLogger];
  const git = createGit({ dir: join(dir, "git"), log });
  const informers = createInformers({ watch: kube, log, signal });
  const events = createEvents({ kube, component: "serin", clock, log, signal });
  const renderers = createRenderers({ searchPath: process.env["PATH"] ?? "" });
  const parts = { kube, informers, events, git, renderers, routers, metricProviders, hosts, clock, log };
  const ended = runControllers({ ...parts, defaults, clusterName: "test" }, signal);
  const conditionsOf = async (kind: string, { namespace, name }: { namespace: string; name: string }): Promise<Condition[]> => {
    const found = (await kube.get({ apiVersion, kind, namespace, name }, never())) as KubeObject & { status?: CommonStatus };
    return (found.status?.conditions ?? []).filter(({ observedGeneration }) => observedGeneration === found.metadata.generation);
  };
  const until = async <T>(
    kind: string,
    object: { namespace: string; name: string },
    pick: (now: Condition[]) => T | undefined,
  ): Promise<T> => {
    let last: Condition[] = [];
    const look = async (): Promise<T | undefined> => pick((last = await conditionsOf(kind, object)));
    return eventually(look, () => `${kind} ${object.namespace}/${object.name} is not as wanted: ${JSON.stringify(last)}`);
  };
  return {
    kube,
    apply,
    told: (kind, object, wanted) => until(kind, object, (now) => now.find((condition) => fits(condition, wanted))),
    mended: async (kind, object, reason) => {
      await until(kind, object, (now) => (now.length > 0 && now.every((condition) => condition.reason !== reason)) || undefined);
    },
    events: async (namespace) => {
      const list = await kube.list({ apiVersion: "v1", kind: "Event" }, { namespace }, never());
      return list.map((event) => `${String(event["reason"])} ${String(event["message"])}`);
    },
    close: async () => {
      life.abort(new Error("the test is over"));
      await ended;
      await git.close();
      await kube.close();
      await server.close();
      rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

function fits(condition: Condition, wanted: Partial<Condition>): boolean {
  return Object.entries(wanted).every(([field, value]) => condition[field as keyof Condition] === value);
}
