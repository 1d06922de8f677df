import type { KubeObject } from "../api/object.ts";

/** One object of a rendering and where it stands in the repository, for messages. */
export interface RenderedObject {
  readonly object: KubeObject;
  /** File in the repository and line (1-based) of the document; for kustomize the folder, without a line. */
  readonly origin: { readonly file: string; readonly line?: number | undefined };
}

/** One regular file. `path` is from the root of the repository, with forward slashes. */
export interface InputFile {
  readonly path: string;
  readonly content: Uint8Array;
}

/** One regular file by name. */
export interface InputEntry {
  readonly path: string;
  /** Equal ids mean equal content. */
  readonly oid: string;
  /** Reached by a symbolic link: the id of its folder says nothing of its content. */
  readonly linked: boolean;
}

/** A commit's files, read when asked for. */
export interface SourceTree {
  /** All files under a folder by name, as `files` gives them with their contents. */
  list(path: string, signal: AbortSignal): Promise<InputEntry[]>;
  /** What is in these files, in their order. */
  contents(entries: readonly InputEntry[], signal: AbortSignal): Promise<Uint8Array[]>;
  /** All files under a folder (`""`: the root); `[]` when there is none. */
  files(path: string, signal: AbortSignal): Promise<InputFile[]>;
  /** Id of the tree or blob at the path; `undefined`: nothing there. Equal ids mean equal content. */
  objectAt(path: string, signal: AbortSignal): Promise<{ oid: string; kind: "tree" | "blob" } | undefined>;
}

/** Turns a folder of manifests into objects. */
export interface Renderer {
  /** Whether this renderer is the one for the folder. */
  matches(files: readonly Pick<InputFile, "path">[], path: string): boolean;
  /**
   * Digest of everything that `render` would read: equal digests give equal objects.
   * Throws StalledError for what only a person can mend.
   */
  inputs(tree: SourceTree, path: string, signal: AbortSignal): Promise<string>;
  /** The objects, in the order in which they stand. Throws StalledError naming file and line for bad input. */
  render(tree: SourceTree, path: string, signal: AbortSignal): Promise<RenderedObject[]>;
}
