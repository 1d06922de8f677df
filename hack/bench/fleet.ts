import { apiVersion } from "../../src/api/meta.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { allBecome, apply, applySource, inBatches, isReady, syncObject } from "./cluster.ts";
import type { Ground } from "./ground.ts";
import { configMapName, configMapYaml, indexes } from "./manifests.ts";
import type { Repository } from "./remote.ts";

/** Many Syncs of one repository, a folder each. */
export interface Fleet {
  readonly namespace: string;
  readonly count: number;
  readonly objects: number;
  readonly repository: Repository;
}

/** Objects of each Sync, where nothing else is said. */
export const objectsEach = 4;

interface FleetOptions {
  readonly namespace: string;
  readonly count: number;
  readonly objects?: number;
  readonly interval?: string;
}

/** Puts source and Syncs into the cluster; whoever works on them comes afterwards, or is there. */
export async function createFleet(
  ground: Ground,
  { namespace, count, objects = objectsEach, interval = "10s" }: FleetOptions,
  signal: AbortSignal,
): Promise<Fleet> {
  const repository = ground.remote.repository(namespace);
  repository.commit({ "README.md": "1\n", ...Object.assign({}, ...indexes(count).map((sync) => folderOf({ sync, objects }))) });
  await applySource(ground, { namespace, url: repository.url, interval }, signal);
  await inBatches(indexes(count), (sync) => apply(ground, syncObject(namespace, syncName(sync), { path: pathOf(sync), interval }), signal));
  return { namespace, count, objects, repository };
}

/** Resolves with the time at which the last of its Syncs was Ready. */
export function fleetReady({ kube }: Ground, { namespace, count }: Fleet, signal: AbortSignal): Promise<number> {
  return allBecome(kube, { kind: { apiVersion, kind: "Sync" }, namespace, count }, isReady, signal);
}

/** Pushes a commit that changes one object of one Sync; returns the object and how to tell that it was changed. */
export function changeOne(
  { repository, count, objects }: Fleet,
  version: number,
): { name: string; isChanged: (object: KubeObject) => boolean } {
  const sync = Math.floor(count / 2);
  repository.commit(folderOf({ sync, objects, version }));
  const isChanged = ({ data }: KubeObject): boolean => (data as { version?: string } | undefined)?.version === String(version);
  return { name: configMapName(sync * objects), isChanged };
}

/** A Sync's folder, the first object in this version. */
function folderOf({ sync, objects, version = 1 }: { sync: number; objects: number; version?: number }): Record<string, string> {
  const yaml = indexes(objects).map((index) => configMapYaml(sync * objects + index, index === 0 ? version : 1));
  return { [`${pathOf(sync)}/configs.yaml`]: yaml.join("---\n") };
}

function syncName(index: number): string {
  return `app-${String(index).padStart(5, "0")}`;
}

function pathOf(index: number): string {
  return `apps/${syncName(index)}`;
}
