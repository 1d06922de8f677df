import { StalledError } from "../lib/errors.ts";

/**
 * A folder as `SourceTree` wants it (`""` is the root) from what a user wrote, e.g. `./apps/`. Throws StalledError when it
 * leaves the repository.
 */
export function repositoryPath(written: string): string {
  const path = joinPath("", written.replace(/^\/+/, ""));
  if (path === undefined) throw new StalledError("InvalidPath", `spec.path "${written}" leads out of the repository`);
  return path;
}

/** Resolves a relative path from a folder of the repository; `undefined` when it leaves the root or is absolute. */
export function joinPath(folder: string, relative: string): string | undefined {
  if (relative.startsWith("/")) return undefined;
  const parts = folder === "" ? [] : folder.split("/");
  for (const part of relative.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join("/");
}

/** The folder that a file or folder is in; `""` for what stands at the root. */
export function parentPath(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

/** Whether the path is the folder itself or below it. */
export function isWithin(path: string, folder: string): boolean {
  return folder === "" || path === folder || path.startsWith(`${folder}/`);
}

/** How messages name a folder. */
export function describePath(path: string): string {
  return path === "" ? "the root of the repository" : path;
}
