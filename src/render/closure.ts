import { StalledError } from "../lib/errors.ts";
import { isRemote, type Kustomization, readKustomization, type Reference } from "./kustomization.ts";
import { buildFailed, isLfsPointer } from "./manifest.ts";
import { describePath, isWithin, joinPath, parentPath } from "./path.ts";
import { filesOf, isKustomization } from "./plain.ts";
import type { InputFile, SourceTree } from "./renderer.ts";

/** Everything in the repository that `kustomize build` of one folder reads. */
export interface Closure {
  /** By path. */
  readonly files: ReadonlyMap<string, InputFile>;
  /** What was found where, outside the folder too: equal lists mean equal content. */
  readonly inputs: readonly (readonly [path: string, oid: string])[];
  /** A kustomization names a file outside its own folder, which kustomize allows only with its load restrictor off. */
  readonly leavesFolder: boolean;
}

interface Walk {
  readonly tree: SourceTree;
  readonly signal: AbortSignal;
  readonly files: Map<string, InputFile>;
  readonly loaded: string[];
  readonly inputs: Map<string, string>;
  readonly seen: Set<string>;
  readonly plugins: string[];
  readonly outside: string[];
}

/**
 * Follows all references from a folder, so that only what is needed is written to disk, and so that what kustomize may
 * read is known beforehand. Throws StalledError for remote bases, for what is missing and for what leads out.
 */
export async function closureOf(tree: SourceTree, path: string, signal: AbortSignal): Promise<Closure> {
  const walk: Walk = { tree, signal, files: new Map(), loaded: [], inputs: new Map(), seen: new Set(), plugins: [], outside: [] };
  await visit(walk, path);
  const [plugin, outside] = [walk.plugins.at(0), walk.outside.at(0)];
  if (plugin !== undefined && outside !== undefined) {
    // With the restrictor off, a generator's configuration could name any file of this machine.
    throw new StalledError(buildFailed, `${outside} is outside its folder, which is not allowed together with the generators or transformers of ${plugin}; move it into the folder`);
  }
  return { files: walk.files, inputs: [...walk.inputs].sort(([a], [b]) => (a < b ? -1 : 1)), leavesFolder: outside !== undefined };
}

async function visit(walk: Walk, folder: string): Promise<void> {
  if (walk.seen.has(folder)) return;
  walk.seen.add(folder);
  await load(walk, folder);
  const file = [...walk.files.values()].find((candidate) => isKustomization(candidate.path) && parentPath(candidate.path) === folder);
  if (!file) throw new StalledError(buildFailed, `${describePath(folder)} is used as a base but has no kustomization.yaml`);
  const kustomization: Kustomization = readKustomization(file);
  if (kustomization.hasPlugins) walk.plugins.push(file.path);
  for (const reference of kustomization.references) await follow(walk, { folder, file: file.path, reference });
}

async function load(walk: Walk, folder: string): Promise<void> {
  const found = await walk.tree.objectAt(folder, walk.signal);
  walk.inputs.set(folder, found?.oid ?? "");
  if (walk.loaded.some((other) => isWithin(folder, other))) return;
  for (const file of await filesOf(walk.tree, folder, walk.signal)) walk.files.set(file.path, file);
  walk.loaded.push(folder);
}

async function follow(walk: Walk, { folder, file, reference }: { folder: string; file: string; reference: Reference }): Promise<void> {
  const { target, field, mayBeFolder } = reference;
  const path = joinPath(folder, target);
  const found = path === undefined ? undefined : await walk.tree.objectAt(path, walk.signal);
  if (path === undefined || !found) throw notThere(file, reference, path);
  if (found.kind === "tree") {
    if (mayBeFolder) return visit(walk, path);
    throw new StalledError(buildFailed, `${file}: ${field}: "${target}" is a folder, not a file`);
  }
  await loadFile(walk, path, found.oid);
  if (!isWithin(path, folder)) walk.outside.push(path);
  const content = walk.files.get(path)?.content;
  if (content && isLfsPointer(content)) throw new StalledError(buildFailed, `${path} is a Git LFS pointer; commit the file itself`);
}

async function loadFile(walk: Walk, path: string, oid: string): Promise<void> {
  if (walk.files.has(path)) return;
  const siblings = await walk.tree.files(parentPath(path), walk.signal);
  const file = siblings.find((candidate) => candidate.path === path);
  if (!file) throw new StalledError(buildFailed, `${path} is not a regular file`);
  walk.files.set(path, file);
  walk.inputs.set(path, oid);
}

function notThere(file: string, { target, field }: Reference, path: string | undefined): StalledError {
  const place = `${file}: ${field}: "${target}"`;
  if (isRemote(target)) return new StalledError("RemoteBase", `${place} is on the network, where rendering never goes; copy it into the repository`);
  if (path === undefined) return new StalledError(buildFailed, `${place} leads out of the repository`);
  return new StalledError(buildFailed, `${place} does not exist in the repository`);
}
