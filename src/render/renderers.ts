import { kustomizeRenderer, type KustomizeOptions } from "./kustomize.ts";
import { entriesOf, plainRenderer } from "./plain.ts";
import type { Renderer, SourceTree } from "./renderer.ts";

/** All renderers; the first that matches a folder renders it. Plain YAML comes last: it matches every folder. */
export function createRenderers(options: KustomizeOptions): readonly Renderer[] {
  const kustomize = kustomizeRenderer(options);
  return [kustomize, plainRenderer(kustomize)];
}

/** The renderer of a folder. Throws StalledError when the folder does not exist. */
export async function rendererFor(renderers: readonly Renderer[], tree: SourceTree, path: string, signal: AbortSignal): Promise<Renderer> {
  const files = await entriesOf(tree, path, signal);
  const renderer = renderers.find((candidate) => candidate.matches(files, path));
  if (!renderer) throw new Error(`no renderer for ${path}`);
  return renderer;
}
