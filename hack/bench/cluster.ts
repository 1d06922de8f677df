import { createHmac } from "node:crypto";
import { request } from "undici";
import { apiVersion } from "../../src/api/meta.ts";
import type { KubeObject, ObjectRef } from "../../src/api/object.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { isRecord } from "../../src/lib/json.ts";
import type { Ground } from "./ground.ts";
import type { Serin } from "./serin.ts";

const options = { fieldManager: "bench" };
/** What takes longer than this did not work. */
const timeoutMs = 300_000;
const token = "bench";

/** Applies as an administrator. */
export function apply({ kube }: Ground, object: KubeObject, signal: AbortSignal): Promise<KubeObject> {
  return kube.apply(object, options, signal);
}

/** Where a namespace's source is and how often it is asked. */
interface SourceOptions {
  readonly namespace: string;
  readonly url: string;
  readonly interval?: string;
}

/** A namespace with a GitRepository `app` that listens to webhooks. */
export async function applySource(ground: Ground, { namespace, url, interval = "1h" }: SourceOptions, signal: AbortSignal): Promise<void> {
  await apply(ground, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }, signal);
  await apply(ground, { apiVersion: "v1", kind: "Secret", metadata: { namespace, name: "hook" }, stringData: { token } }, signal);
  const spec = { url, ref: { branch: "main" }, interval, webhook: { secretRef: { name: "hook" } } };
  await apply(ground, { apiVersion, kind: "GitRepository", metadata: { namespace, name: "app" }, spec }, signal);
}

/** As `applySource`, and waits until a controller has fetched it. */
export async function createSource(ground: Ground, options: SourceOptions, signal: AbortSignal): Promise<void> {
  await applySource(ground, options, signal);
  await becomes(ground.kube, { apiVersion, kind: "GitRepository", namespace: options.namespace, name: "app" }, isReady, signal);
}

/** A Sync of the GitRepository `app` in its namespace. */
export function syncObject(namespace: string, name: string, spec: Readonly<Record<string, unknown>> = {}): KubeObject {
  return {
    apiVersion,
    kind: "Sync",
    metadata: { namespace, name },
    spec: { sourceRef: { name: "app" }, interval: "1h", prune: true, targetNamespace: namespace, ...spec },
  };
}

/** The condition Ready is True for the newest generation. */
export function isReady(object: KubeObject): boolean {
  const ready = conditionOf(object, "Ready");
  return ready?.["status"] === "True" && ready["observedGeneration"] === object.metadata.generation;
}

/** One condition of an object's status. */
export function conditionOf({ status }: KubeObject, type: string): Readonly<Record<string, unknown>> | undefined {
  const conditions: unknown = isRecord(status) ? status["conditions"] : undefined;
  return Array.isArray(conditions) ? conditions.filter(isRecord).find((condition) => condition["type"] === type) : undefined;
}

/** Resolves with the time (performance.now) at which the watch first showed the object like this. */
export async function becomes(
  kube: KubeClient,
  ref: ObjectRef,
  accepts: (object: KubeObject) => boolean,
  signal: AbortSignal,
): Promise<number> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const fieldSelector = `metadata.name=${ref.name}`;
  const page = await kube.listPage(ref, { namespace: ref.namespace, fieldSelector, limit: 0 }, within);
  if (page.items.some(accepts)) return performance.now();
  const watch = { namespace: ref.namespace, fieldSelector, resourceVersion: page.resourceVersion, timeoutSeconds: timeoutMs / 1_000 };
  for await (const event of kube.watch(ref, watch, within))
    if ((event.type === "ADDED" || event.type === "MODIFIED") && accepts(event.object)) return performance.now();
  throw new Error(`${ref.kind} ${ref.namespace}/${ref.name} did not get there in ${timeoutMs} ms`);
}

/** Resolves when so many objects of a kind in a namespace are like this; tells the time of the last one. */
export async function allBecome(
  kube: KubeClient,
  { kind, namespace, count }: { kind: { apiVersion: string; kind: string }; namespace: string; count: number },
  accepts: (object: KubeObject) => boolean,
  signal: AbortSignal,
): Promise<number> {
  const page = await kube.listPage(kind, { namespace, limit: 0 }, signal);
  const good = new Set(page.items.filter(accepts).map(({ metadata }) => metadata.name));
  if (good.size >= count) return performance.now();
  const watch = { namespace, resourceVersion: page.resourceVersion, timeoutSeconds: 1_800 };
  for await (const event of kube.watch(kind, watch, signal)) {
    if (event.type !== "ADDED" && event.type !== "MODIFIED") continue;
    if (accepts(event.object)) good.add(event.object.metadata.name);
    if (good.size >= count) return performance.now();
  }
  throw new Error(`only ${good.size} of ${count} ${kind.kind} got there`);
}

/** Sends the webhook that a Git host sends after a push. */
export async function hook({ url }: Serin, namespace: string, name = "app"): Promise<void> {
  const body = JSON.stringify({ ref: "refs/heads/main" });
  const signature = `sha256=${createHmac("sha256", token).update(body).digest("hex")}`;
  const answer = await request(`${url}/hooks/${namespace}/${name}`, { method: "POST", body, headers: { "x-signature": signature } });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`the webhook was answered with ${answer.statusCode}: ${text}`);
}

/** Removes all Syncs, Canaries and sources of a namespace while a controller is there to let them go, and then the namespace. The Syncs
 * go first: they would make again what they apply. */
export async function removeAll({ kube }: Ground, namespace: string, signal: AbortSignal): Promise<void> {
  for (const kind of ["Sync", "Canary", "GitRepository"]) {
    const objects = await kube.list({ apiVersion, kind }, { namespace }, signal);
    await inBatches(objects, async ({ metadata: { name } }) => kube.delete({ apiVersion, kind, namespace, name }, {}, signal));
    while ((await kube.list({ apiVersion, kind }, { namespace }, signal)).length > 0) await systemClock.sleep(250, signal);
  }
  await kube.delete({ apiVersion: "v1", kind: "Namespace", name: namespace }, {}, signal);
}

/** Works on all items, 16 at a time; fails with the first failure. */
export async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const waiting = items.values();
  const worker = async (): Promise<void> => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}
