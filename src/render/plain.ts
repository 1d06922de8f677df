import { StalledError } from "../lib/errors.ts";
import { hashJson } from "../lib/json.ts";
import { readManifest } from "./manifest.ts";
import { describePath, isWithin, parentPath } from "./path.ts";
import type { InputFile, Renderer, SourceTree } from "./renderer.ts";

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
  return {
    matches: () => true,
    inputs: async (tree, path, signal) => {
      const folders = kustomizedFolders(await filesOf(tree, path, signal), path);
      const here = await tree.objectAt(path, signal);
      const below = await Promise.all(folders.map((folder) => nested.inputs(tree, folder, signal)));
      return hashJson(["plain", path, here?.oid, below]);
    },
    render: async (tree, path, signal) => {
      const files = await filesOf(tree, path, signal);
      const folders = kustomizedFolders(files, path);
      const own = files.filter((file) => isManifest(file.path, path) && !folders.some((folder) => isWithin(file.path, folder)));
      const objects = own.flatMap((file) => readManifest(file));
      for (const folder of folders) objects.push(...(await nested.render(tree, folder, signal)));
      return objects;
    },
  };
}

/** The files of a folder. Throws StalledError when there is no such folder, so that a typing error never reads as "no manifests". */
export async function filesOf(tree: SourceTree, path: string, signal: AbortSignal): Promise<InputFile[]> {
  const found = await tree.objectAt(path, signal);
  if (found?.kind === "tree") return tree.files(path, signal);
  throw new StalledError("ArtifactFailed", `spec.path: ${describePath(path)} ${found ? "is a file, not a folder" : "does not exist in the repository"}`);
}

/** Outermost folders below the path that kustomize is to render. */
function kustomizedFolders(files: readonly InputFile[], path: string): string[] {
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

