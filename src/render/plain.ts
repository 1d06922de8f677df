import { StalledError } from "../lib/errors.ts";
import { hashJson } from "../lib/json.ts";
import { createLru } from "../lib/lru.ts";
import { readManifest } from "./manifest.ts";
import { describePath, isWithin, parentPath } from "./path.ts";
import type { InputEntry, InputFile, RenderedObject, Renderer, SourceTree } from "./renderer.ts";

/** Names under which kustomize looks for its instructions. */
const kustomizationNames = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/** Whether the file makes its folder one for kustomize. */
export function isKustomization(path: string): boolean {
  return kustomizationNames.includes(path.slice(path.lastIndexOf("/") + 1));
}

/**
 * All manifests under a folder as they are: every .yaml, .yml and .json, hidden files and folders left out. A folder
 * further down that has a kustomization.yaml is handed to `nested` as a whole, as Flux does.
 */
export function plainRenderer(nested: Renderer): Renderer {
  const manifests = rememberManifests();
  return {
    matches: () => true,
    inputs: async (tree, path, signal) => {
      const entries = await entriesOf(tree, path, signal);
      const here = await tree.objectAt(path, signal);
      const linked = entries.filter((entry) => entry.linked).map(({ path: file, oid }) => [file, oid]);
      const folders = kustomizedFolders(entries, path);
      const below = await Promise.all(folders.map((folder) => nested.inputs(tree, folder, signal)));
      return hashJson(["plain", path, here?.oid, below, ...linked]);
    },
    render: async (tree, path, signal) => {
      const entries = await entriesOf(tree, path, signal);
      const folders = kustomizedFolders(entries, path);
      const own = entries.filter((entry) => isManifest(entry.path, path) && !folders.some((folder) => isWithin(entry.path, folder)));
      const objects = await manifests(tree, own, signal);
      for (const folder of folders) objects.push(...(await nested.render(tree, folder, signal)));
      return objects;
    },
  };
}

/** Manifests of about this many characters are kept: the next commit changes few of them. */
const maxCachedCharacters = 16 * 1024 * 1024;

/** Reads files that were not read before. */
function rememberManifests(): (tree: SourceTree, entries: readonly InputEntry[], signal: AbortSignal) => Promise<RenderedObject[]> {
  const read = createLru<RenderedObject[]>(maxCachedCharacters);
  const keyOf = ({ path, oid }: InputEntry): string => `${oid} ${path}`;
  return async (tree, entries, signal) => {
    const known = new Map(entries.map((entry) => [keyOf(entry), read.get(keyOf(entry))]));
    const missing = entries.filter((entry) => known.get(keyOf(entry)) === undefined);
    const contents = missing.length === 0 ? [] : await tree.contents(missing, signal);
    for (const [index, entry] of missing.entries()) {
      const content = contents[index] ?? new Uint8Array();
      const objects = readManifest({ path: entry.path, content });
      read.set(keyOf(entry), objects, content.byteLength);
      known.set(keyOf(entry), objects);
    }
    return entries.flatMap((entry) => known.get(keyOf(entry)) ?? []);
  };
}

/**
 * The files of a folder by name. Throws StalledError when there is no such folder, so that a typing error never reads as "no
 * manifests".
 */
export async function entriesOf(tree: SourceTree, path: string, signal: AbortSignal): Promise<InputEntry[]> {
  await refuseMissing(tree, path, signal);
  return tree.list(path, signal);
}

/** As `entriesOf`, with their contents. */
export async function filesOf(tree: SourceTree, path: string, signal: AbortSignal): Promise<InputFile[]> {
  await refuseMissing(tree, path, signal);
  return tree.files(path, signal);
}

async function refuseMissing(tree: SourceTree, path: string, signal: AbortSignal): Promise<void> {
  const found = await tree.objectAt(path, signal);
  if (found?.kind === "tree") return;
  throw new StalledError("ArtifactFailed", `spec.path: ${describePath(path)} ${found ? "is a file, not a folder" : "does not exist in the repository"}`);
}

/** Outermost folders below the path that kustomize is to render. */
function kustomizedFolders(files: readonly Pick<InputFile, "path">[], path: string): string[] {
  const folders = files.filter((file) => isKustomization(file.path) && !isHidden(file.path, path)).map((file) => parentPath(file.path));
  return folders.filter((folder) => !folders.some((other) => other !== folder && isWithin(folder, other)));
}

function isManifest(file: string, path: string): boolean {
  return /\.(?:ya?ml|json)$/.test(file) && !isHidden(file, path);
}

/** `.github/workflows/ci.yaml` is not a manifest, though it is YAML. */
function isHidden(file: string, path: string): boolean {
  return file.slice(path === "" ? 0 : path.length + 1).split("/").some((part) => part.startsWith("."));
}

