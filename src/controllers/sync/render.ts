import { type GitRepository, parseRevision } from "../../api/git-repository.ts";
import { describeRef, groupOf, type KubeObject, refOf } from "../../api/object.ts";
import type { Sync } from "../../api/sync.ts";
import type { Git, Remote } from "../../git/git.ts";
import { definedScopes, inNamespace, type Scope, withSubjectsIn } from "../../gitops/namespace.ts";
import type { Kube } from "../../kube/kube.ts";
import { StalledError } from "../../lib/errors.ts";
import { createLru } from "../../lib/lru.ts";
import { refuseDuplicates } from "../../render/duplicates.ts";
import { placeOf } from "../../render/manifest.ts";
import { repositoryPath } from "../../render/path.ts";
import type { InputEntry, RenderedObject, Renderer, SourceTree } from "../../render/renderer.ts";
import { rendererFor } from "../../render/renderers.ts";
import type { RenderAt } from "../rendering.ts";
import { createKnownInputs, recorded, withContents } from "./inputs.ts";

/** Where the repository of a GitRepository is and who we are there. */
type RemoteOf = (repository: GitRepository, signal: AbortSignal) => Promise<Remote>;

/** What rendering needs. */
interface RenderDeps {
  readonly git: Git;
  readonly kube: Kube;
  readonly remoteOf: RemoteOf;
  readonly renderers: readonly Renderer[];
}

/** Renders Syncs, remembering what it rendered. */
export interface Rendering {
  readonly renderAt: RenderAt;
  /** As `renderAt`, but never from memory: what cannot be rendered twice the same is not told apart by rendering. */
  readonly renderAnew: RenderAt;
  /** Digest of everything in the repository that the Sync's rendering depends on; equal digests give equal objects. */
  readonly inputsAt: (
    sync: Pick<Sync, "spec">,
    repository: GitRepository,
    commitOrTree: string,
    signal: AbortSignal,
  ) => Promise<string>;
  /** What is written in the Sync's folder, for what cannot be rendered; empty when there is no such folder. */
  readonly textAt: (sync: Pick<Sync, "spec">, repository: GitRepository, commitOrTree: string, signal: AbortSignal) => Promise<string>;
}

/** Renderings are kept up to about this many characters of JSON. */
const maxCachedCharacters = 64 * 1024 * 1024;
const maxCachedInputs = 20_000;
/** Names of files are kept for as long as a run may need them again. */
const maxCachedEntries = 20_000;

/** The one way from a commit to objects; share one, for its cache. */
export function createRendering({ git, kube, remoteOf, renderers }: RenderDeps): Rendering {
  const rendered = createLru<readonly RenderedObject[]>(maxCachedCharacters);
  const treeOf = createTrees(git, remoteOf);
  const inputsAt = createInputs({ git, remoteOf, renderers, treeOf });
  const place = async (sync: Sync, objects: readonly RenderedObject[], signal: AbortSignal): Promise<RenderedObject[]> => {
    const placed = await inNamespaces(objects, sync.spec.targetNamespace, kube, signal);
    refuseDuplicates(placed);
    return placed;
  };
  const run = async (sync: Sync, repository: GitRepository, commitOrTree: string, signal: AbortSignal): Promise<RenderedObject[]> => {
    const path = repositoryPath(sync.spec.path);
    const tree = await treeOf(repository, commitOrTree, signal);
    return (await rendererFor(renderers, tree, path, signal)).render(tree, path, signal);
  };
  const renderAt: RenderAt = async (sync, repository, commitOrTree, signal) => {
    const key = await inputsAt(sync, repository, commitOrTree, signal);
    const known = rendered.get(key);
    if (known) return place(sync, known, signal);
    const objects = await run(sync, repository, commitOrTree, signal);
    rendered.set(key, objects, JSON.stringify(objects).length);
    return place(sync, objects, signal);
  };
  const renderAnew: RenderAt = async (sync, repository, commitOrTree, signal) =>
    place(sync, await run(sync, repository, commitOrTree, signal), signal);
  const textAt: Rendering["textAt"] = async (sync, repository, commitOrTree, signal) => {
    const tree = await treeOf(repository, commitOrTree, signal);
    const files = await tree.files(repositoryPath(sync.spec.path), signal);
    return files.map(({ content }) => new TextDecoder().decode(content)).join("\n");
  };
  return { renderAt, renderAnew, inputsAt, textAt };
}

type TreeOf = (repository: GitRepository, commitOrTree: string, signal: AbortSignal) => Promise<SourceTree>;

/** Trees of commits, which never change: what was asked of one lately is not asked again. */
function createTrees(git: Git, remoteOf: RemoteOf): TreeOf {
  const lists = createLru<InputEntry[]>(maxCachedEntries);
  const objects = createLru<{ object: Awaited<ReturnType<SourceTree["objectAt"]>> }>(maxCachedEntries);
  return async (repository, commitOrTree, signal) => {
    const remote = await remoteOf(repository, signal);
    const keyOf = (path: string): string => [remote.url, commitOrTree, path].join("\0");
    const list: SourceTree["list"] = async (path, within) => {
      const known = lists.get(keyOf(path));
      if (known) return known;
      const entries = await git.list(remote, commitOrTree, path, within);
      lists.set(keyOf(path), entries, entries.length + 1);
      return entries;
    };
    const contents: SourceTree["contents"] = (entries, within) => git.contents(remote, entries, within);
    return {
      list,
      contents,
      files: async (path, within) => withContents({ contents }, await list(path, within), within),
      objectAt: async (path, within) => {
        const known = objects.get(keyOf(path));
        if (known) return known.object;
        const object = await git.objectAt(remote, commitOrTree, path, within);
        objects.set(keyOf(path), { object });
        return object;
      },
    };
  };
}

/** Digests of what folders' renderings depend on. At a new commit of a branch all known folders are asked about at once. */
function createInputs({ git, remoteOf, renderers, treeOf }: Omit<RenderDeps, "kube"> & { readonly treeOf: TreeOf }): Rendering["inputsAt"] {
  const inputs = createLru<string>(maxCachedInputs);
  const known = createKnownInputs();
  const compared = createLru<Promise<void>>(100);
  const keyOf = (url: string, commitOrTree: string, path: string): string => [url, commitOrTree, path].join("\0");
  const compare = async (repository: GitRepository, commit: string, signal: AbortSignal): Promise<void> => {
    const { url } = repository.spec;
    const remote = await remoteOf(repository, signal);
    const idsAt = async (paths: readonly string[]) => (await git.objectsAt(remote, commit, paths, signal)).map((object) => object?.oid);
    for (const [path, digest] of await known.unchanged(url, idsAt)) inputs.set(keyOf(url, commit, path), digest);
  };
  return async (sync, repository, commitOrTree, signal) => {
    const { url } = repository.spec;
    const path = repositoryPath(sync.spec.path);
    const key = keyOf(url, commitOrTree, path);
    if (inputs.get(key) === undefined && known.find(url, path) && parseRevision(repository.status.revision)?.commit === commitOrTree) {
      const place = keyOf(url, commitOrTree, "");
      const comparing = compared.get(place) ?? compare(repository, commitOrTree, signal);
      compared.set(place, comparing);
      // What cannot be compared is looked at by itself below, and says there what is wrong.
      await comparing.catch(() => {});
    }
    const unchanged = inputs.get(key);
    if (unchanged !== undefined) return unchanged;
    const { tree, reads } = recorded(await treeOf(repository, commitOrTree, signal));
    const renderer = await rendererFor(renderers, tree, path, signal);
    const digest = await renderer.inputs(tree, path, signal);
    const read = await reads(signal);
    if (read) known.remember(url, path, { digest, reads: read });
    inputs.set(key, digest);
    return digest;
  };
}

/** The objects where they belong, as the cluster and the CustomResourceDefinitions among them say. */
async function inNamespaces(
  objects: readonly RenderedObject[],
  target: string | undefined,
  kube: Kube,
  signal: AbortSignal,
): Promise<RenderedObject[]> {
  const defined = definedScopes(objects.map(({ object }) => object));
  const moved = new Set(objects.filter(({ object }) => object.kind === "ServiceAccount").map(({ object }) => object.metadata.name));
  const placed: RenderedObject[] = [];
  for (const { object, origin } of objects) {
    const scope = defined.get(`${groupOf(object.apiVersion)}/${object.kind}`) ?? (await scopeOf(object, target, kube, signal));
    const inPlace = inNamespace(object, scope, target);
    if (scope.namespaced && inPlace.metadata.namespace === undefined) {
      throw new StalledError("NamespaceMissing", `${describeRef(refOf(object))} (${placeOf(origin)}) names no namespace; set metadata.namespace in it, or spec.targetNamespace in the Sync`);
    }
    placed.push({ object: withSubjectsIn(inPlace, target, moved), origin });
  }
  return placed;
}

async function scopeOf(object: KubeObject, target: string | undefined, kube: Kube, signal: AbortSignal): Promise<Scope> {
  const resource = await kube.resource(object, signal);
  // Nobody knows the kind (yet): what the manifest says is all there is to go by.
  return resource ?? { namespaced: target !== undefined || object.metadata.namespace !== undefined };
}
