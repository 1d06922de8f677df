import { apiVersion } from "../../../src/api/meta.ts";
import type { KubeObject } from "../../../src/api/object.ts";
import { isRecord } from "../../../src/lib/json.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { apply, becomes, createSource, isReady, syncObject } from "../cluster.ts";
import type { Ground } from "../ground.ts";
import { configMapName, oneFile } from "../manifests.ts";
import type { Figure, Scenario } from "../row.ts";

const peer = "up to one interval, or never";
const changed = configMapName(1);

/** Objects that somebody changes or deletes behind the Sync's back. */
export const drift: Scenario = {
  name: "drift",
  summary: "an object deleted, a field edited by kubectl, by server-side apply, by a controller: until it is right again",
  run: async (ground, signal) =>
    ground.withSerin(async () => {
      const namespace = ground.name("drift");
      const repository = ground.remote.repository(namespace);
      repository.commit(oneFile(20, () => 1));
      await createSource(ground, { namespace, url: repository.url }, signal);
      await apply(ground, syncObject(namespace, "app"), signal);
      await becomes(ground.kube, { apiVersion, kind: "Sync", namespace, name: "app" }, isReady, signal);
      await systemClock.sleep(2_000, signal);
      const figures: Figure[] = [await deleted(ground, namespace, signal)];
      for (const { manager, edit } of edits) figures.push(...(await edited(ground, { namespace, manager, edit }, signal)));
      return { figures };
    }),
};

type Edit = (ground: Ground, object: { namespace: string; version: string; manager: string }, signal: AbortSignal) => Promise<unknown>;

const kind = { apiVersion: "v1", kind: "ConfigMap" };

const patched: Edit = ({ kube }, { namespace, version, manager }, signal) =>
  kube.patch({ ...kind, namespace, name: changed }, { data: { version } }, { fieldManager: manager }, signal);

const serverSide: Edit = ({ kube }, { namespace, version, manager }, signal) =>
  kube.apply({ ...kind, metadata: { namespace, name: changed }, data: { version } }, { fieldManager: manager }, signal);

const edits: readonly { readonly manager: string; readonly edit: Edit }[] = [
  { manager: "kubectl-edit", edit: patched },
  { manager: "other-gitops", edit: serverSide },
  { manager: "some-controller", edit: patched },
];

async function deleted(ground: Ground, namespace: string, signal: AbortSignal): Promise<Figure> {
  const ref = { ...kind, namespace, name: configMapName(2) };
  const { metadata } = await ground.kube.get(ref, signal);
  const back = becomes(ground.kube, ref, (object) => object.metadata.uid !== metadata.uid, signal);
  await systemClock.sleep(300, signal);
  const start = performance.now();
  await ground.kube.delete(ref, {}, signal);
  const seconds = ((await back) - start) / 1_000;
  ground.say(`deleted: ${seconds.toFixed(2)} s`);
  return { work: "drift: an object is deleted", what: "until it is back", value: seconds, unit: "s", limit: 2, peer };
}

interface Edited {
  readonly namespace: string;
  readonly manager: string;
  readonly edit: Edit;
}

async function edited(ground: Ground, { namespace, manager, edit }: Edited, signal: AbortSignal): Promise<Figure[]> {
  const ref = { ...kind, namespace, name: changed };
  const version = `by ${manager}`;
  let wasEdited = false;
  const back = becomes(ground.kube, ref, ({ data }) => {
    const now = isRecord(data) ? data["version"] : undefined;
    wasEdited ||= now === version;
    return wasEdited && now === "1";
  }, signal);
  await systemClock.sleep(300, signal);
  const start = performance.now();
  await edit(ground, { namespace, version, manager }, signal);
  const seconds = ((await back) - start) / 1_000;
  const unnamed = (await isNamed(ground, { namespace, manager }, signal)) ? 0 : 1;
  ground.say(`edited by ${manager}: ${seconds.toFixed(2)} s, ${unnamed === 0 ? "named" : "not named"} in an event`);
  const work = `drift: a field is edited by ${manager}`;
  return [
    { work, what: "until it is right", value: seconds, unit: "s", limit: 2, peer },
    { work, what: "events that do not name field and manager", value: unnamed, unit: "events", limit: 0, peer: "all" },
  ];
}

const eventWaitMs = 10_000;

/** Whether an event says which field was changed and by whom. */
async function isNamed({ kube }: Ground, { namespace, manager }: Omit<Edited, "edit">, signal: AbortSignal): Promise<boolean> {
  const says = (event: KubeObject): boolean => {
    const text = String(event["message"] ?? event["note"]);
    return event["reason"] === "DriftCorrected" && text.includes("data.version") && text.includes(manager);
  };
  for (const until = performance.now() + eventWaitMs; performance.now() < until; await systemClock.sleep(200, signal))
    if ((await kube.list({ apiVersion: "v1", kind: "Event" }, { namespace }, signal)).some(says)) return true;
  return false;
}
