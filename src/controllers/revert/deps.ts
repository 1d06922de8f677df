import type { Canary } from "../../api/canary.ts";
import type { GitRepository } from "../../api/git-repository.ts";
import { keyOf, type KubeObject } from "../../api/object.ts";
import type { Revert } from "../../api/revert.ts";
import type { Sync } from "../../api/sync.ts";
import { type Git, GitError, type Remote } from "../../git/git.ts";
import type { GitHost } from "../../githost/git-host.ts";
import type { Events, Kube } from "../../kube/kube.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Logger } from "../../lib/log.ts";
import type { Digests } from "../digests.ts";
import type { RenderAt } from "../rendering.ts";
import type { Resources } from "../resources.ts";

/** Everything the revert side of the program needs of the world. */
export interface RevertDeps {
  readonly kube: Kube;
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Logger;
  readonly reverts: Resources<Revert>;
  readonly canaries: Resources<Canary>;
  readonly syncs: Resources<Sync>;
  readonly repositories: Resources<GitRepository>;
  readonly digests: Digests;
  readonly git: Git;
  readonly renderAt: RenderAt;
  /** As `renderAt`, never from memory. */
  readonly renderAnew: RenderAt;
  readonly remoteOf: (repository: GitRepository, signal: AbortSignal) => Promise<Remote>;
  /** `undefined`: the repository names no Git host. */
  readonly hostOf: (repository: GitRepository, signal: AbortSignal) => Promise<GitHost | undefined>;
  /** OpenSSH private key that signs our commits; `undefined`: unsigned. */
  readonly signingKeyOf: (repository: GitRepository, signal: AbortSignal) => Promise<string | undefined>;
  /** Name of this cluster in branches; required once a Git host is set. */
  readonly clusterName: string | undefined;
  /** uid of the namespace kube-system. */
  readonly clusterUid: () => Promise<string>;
}

/** The Sync that a Revert acts on, if it exists. */
export function syncOf({ syncs }: Pick<RevertDeps, "syncs">, { metadata, spec }: Revert): Sync | undefined {
  return syncs.find(keyOf({ namespace: spec.syncRef.namespace ?? metadata.namespace, name: spec.syncRef.name }));
}

/** The source of a Sync, if it exists. */
export function repositoryOf({ repositories }: Pick<RevertDeps, "repositories">, sync: Sync): GitRepository | undefined {
  return repositories.find(keyOf({ namespace: sync.metadata.namespace, name: sync.spec.sourceRef.name }));
}

/** All Syncs of a source. */
export function syncsOf({ syncs }: Pick<RevertDeps, "syncs">, { metadata }: GitRepository): Sync[] {
  return syncs.list().filter((sync) => sync.metadata.namespace === metadata.namespace && sync.spec.sourceRef.name === metadata.name);
}

/** Whether the clone of this process has HEAD already: until then its history says nothing at all. */
export async function isFetched(
  { git }: Pick<RevertDeps, "git">,
  { remote, head }: { remote: Remote; head: string },
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await git.commit(remote, head, signal);
    return true;
  } catch (error) {
    if (error instanceof GitError && error.reason === "HistoryUnavailable") return false;
    throw error;
  }
}

/** Commit at the tip of the followed branch as last fetched; `undefined` before the first fetch. */
export function headOf({ status }: GitRepository): string | undefined {
  return /@sha1:([0-9a-f]{40})$/.exec(status.revision ?? "")?.[1];
}

/** The objects of a rendering, without where they stand. */
export async function objectsAt(
  deps: Pick<RevertDeps, "renderAt">,
  scene: { sync: Sync; repository: GitRepository },
  commitOrTree: string,
  signal: AbortSignal,
): Promise<KubeObject[]> {
  const rendered = await deps.renderAt(scene.sync, scene.repository, commitOrTree, signal);
  return rendered.map(({ object }) => object);
}
