import { canary as canaryKind } from "../../api/canary.ts";
import { findCondition } from "../../api/conditions.ts";
import { apiVersion, parseObject } from "../../api/meta.ts";
import type { KubeObject } from "../../api/object.ts";
import { revert as revertKind } from "../../api/revert.ts";
import { sync as syncKind } from "../../api/sync.ts";
import type { Informers } from "../../kube/kube.ts";

/** What the demo follows of the cluster. */
export interface View {
  canary(): { phase: string; weight: number; revision: string; message: string } | undefined;
  revert(): { name: string; phase: string; message: string; pullRequest: string | undefined; number: number | undefined } | undefined;
  sync(): { ready: string; revision: string | undefined; message: string } | undefined;
  deployment(name: string): KubeObject | undefined;
  /** Image of a Deployment's first container. */
  image(deployment: string): string | undefined;
  /** Resolves at the next change of anything above, after a second at most, or when the signal aborts. */
  changed(signal: AbortSignal): Promise<void>;
  /** Everything in one line, for when something does not come out. */
  describe(): string;
}

/** A view of the demo's one Canary, Sync and newest Revert. */
export function createView(informers: Informers): View {
  const own = (kind: string) => informers.of({ apiVersion, kind });
  const [canaries, reverts, syncs] = [own("Canary"), own("Revert"), own("Sync")];
  const deployments = informers.of({ apiVersion: "apps/v1", kind: "Deployment" });
  const view: View = {
    canary: () => {
      const found = canaries.find("shop/shop");
      const parsed = found && parseObject(canaryKind, found);
      if (!parsed?.ok) return undefined;
      const { phase = "", canaryWeight = 0, trackedRevision = "", conditions } = parsed.value.status;
      return { phase, weight: canaryWeight, revision: trackedRevision, message: findCondition(conditions, "Ready")?.message ?? "" };
    },
    revert: () => revertView(newestOf(reverts.list())),
    sync: () => {
      const found = syncs.find("shop/apps");
      const parsed = found && parseObject(syncKind, found);
      if (!parsed?.ok) return undefined;
      const { revision, conditions } = parsed.value.status;
      const ready = findCondition(conditions, "Ready");
      return { ready: ready?.status ?? "", revision, message: ready?.message ?? "" };
    },
    deployment: (name) => deployments.find(`shop/${name}`),
    image: (name) => {
      const spec = deployments.find(`shop/${name}`)?.["spec"] as
        { template?: { spec?: { containers?: { image?: string }[] } } } | undefined;
      return spec?.template?.spec?.containers?.[0]?.image;
    },
    changed: (signal) => anyChange([canaries, reverts, syncs, deployments], signal),
    describe: () =>
      JSON.stringify({
        canary: view.canary(),
        revert: view.revert(),
        sync: view.sync(),
        shop: view.image("shop"),
        primary: view.image("shop-primary"),
        cart: view.image("cart"),
      }),
  };
  return view;
}

function newestOf(objects: readonly KubeObject[]): KubeObject | undefined {
  return [...objects].sort((a, b) => ((a.metadata.creationTimestamp ?? "") < (b.metadata.creationTimestamp ?? "") ? 1 : -1))[0];
}

function revertView(object: KubeObject | undefined): ReturnType<View["revert"]> {
  const parsed = object && parseObject(revertKind, object);
  if (!object || !parsed?.ok) return undefined;
  const { phase = "", pullRequest, conditions } = parsed.value.status;
  return {
    name: object.metadata.name,
    phase,
    message: findCondition(conditions, "Ready")?.message ?? "",
    pullRequest: pullRequest?.url,
    number: pullRequest?.number,
  };
}

async function anyChange(informers: readonly { onChange(handler: () => void): () => void }[], signal: AbortSignal): Promise<void> {
  const next = Promise.withResolvers<void>();
  const timer = setTimeout(next.resolve, 1_000);
  const stop = () => next.resolve();
  signal.addEventListener("abort", stop, { once: true });
  // Each informer tells at once what it knows already: only what comes after counts.
  let armed = false;
  const stops = informers.map((informer) => informer.onChange(() => armed && next.resolve()));
  armed = true;
  await next.promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", stop);
  for (const each of stops) each();
}
