import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Container, Pod, Volume } from "../kinds.ts";
import type { Mount } from "./container-root.ts";
import { fieldOf } from "./environment.ts";

/** What a pod's volumes are made from. */
export interface VolumeInput {
  readonly pod: Pod;
  readonly container: Container;
  /** Text of ConfigMaps and Secrets by path in the container. */
  readonly files: ReadonlyMap<string, string>;
  /** Folder of the pod's volumes; what is in it lives as long as the pod. */
  readonly dir: string;
  /** A token of the pod's ServiceAccount. */
  readonly mintToken: (ask: { readonly audience?: string | undefined; readonly expirationSeconds?: number | undefined }) => Promise<string>;
}

const knownVolumes = "emptyDir, configMap, secret and projected";
type VolumeMount = Container["volumeMounts"][number];

/** Writes the volumes that a container mounts, and says where it sees them. Throws on a volume that is of another kind. */
export async function prepareVolumes(input: VolumeInput): Promise<Mount[]> {
  const mounts: Mount[] = [];
  for (const mount of input.container.volumeMounts) mounts.push(await prepareVolume(input, mount));
  return mounts;
}

async function prepareVolume(input: VolumeInput, mount: VolumeMount): Promise<Mount> {
  const { name, mountPath, subPath } = mount;
  const volume = input.pod.spec.volumes.find((candidate) => candidate.name === name);
  const { emptyDir } = volume ?? {};
  // `mount` writes 8Mi as 8M.
  if (emptyDir?.medium === "Memory") return { kind: "memory", size: (emptyDir.sizeLimit ?? "50%").replace(/i$/, ""), to: mountPath };
  if (!volume || !isKnown(volume)) throw new Error(`volume ${name}: this node knows ${knownVolumes} volumes only`);
  const folder = join(input.dir, name);
  await mkdir(folder, { recursive: true });
  for (const [path, text] of await contentOf(input, volume, mount)) await write(join(folder, path), text);
  return { kind: "bind", from: subPath === undefined ? folder : join(folder, subPath), to: mountPath };
}

function isKnown({ emptyDir, configMap, secret, projected }: Volume): boolean {
  return [emptyDir, configMap, secret, projected].some((source) => source !== undefined);
}

/** Text by path in the volume. */
async function contentOf(input: VolumeInput, volume: Volume, { mountPath, subPath }: VolumeMount): Promise<[string, string][]> {
  const { files, pod } = input;
  if (subPath !== undefined) return [...files].filter(([path]) => path === mountPath).map(([, text]) => [subPath, text]);
  const below = [...files].filter(([path]) => path.startsWith(`${mountPath}/`));
  const given = below.map(([path, text]): [string, string] => [path.slice(mountPath.length + 1), text]);
  const sources = volume.projected?.sources ?? [];
  const fields = sources
    .flatMap(({ downwardAPI }) => downwardAPI?.items ?? [])
    .map(({ path, fieldRef }): [string, string] => [path, fieldOf(pod, fieldRef?.fieldPath ?? "")]);
  const tokens = sources
    .flatMap(({ serviceAccountToken }) => serviceAccountToken ?? [])
    .map(async ({ path, ...ask }): Promise<[string, string]> => [path, await input.mintToken(ask)]);
  return [...given, ...fields, ...(await Promise.all(tokens))];
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
