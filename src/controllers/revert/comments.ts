import { keyOf, type KubeObject } from "../../api/object.ts";
import { GitError, type Commit } from "../../git/git.ts";
import { type GitHost, GitHostError } from "../../githost/git-host.ts";
import { messageOf } from "../../lib/errors.ts";
import { sameJson } from "../../lib/json.ts";
import { subjectOf } from "../../revert/branch.ts";
import { configsUsedBy } from "../../revert/config-users.ts";
import { changeComment } from "../../revert/pull-request.ts";
import { rendering } from "./blame.ts";
import type { RevertDeps } from "./deps.ts";
import type { Memory } from "./memory.ts";
import type { Published, Scene } from "./scene.ts";
import { targetOf } from "./target.ts";

/** How many commits are looked at in one go: a busy repository has not changed this one workload a hundred times. */
const mostCommits = 100;

/**
 * Tells the pull request of later commits that change the held workload: they ship on top of the promoted values, and may
 * be meant as the fix (design rule 2). Each commit is told once; a host that does not answer is asked again at the next look.
 */
export async function tellOfChanges(
  deps: RevertDeps & { readonly memory: Memory },
  scene: Scene,
  { host, published }: { host: GitHost; published: Published },
  signal: AbortSignal,
): Promise<void> {
  const key = keyOf(scene.revert.metadata);
  const from = deps.memory.toldUpTo.get(key) ?? firstUntold(scene);
  if (!published.pullRequest || !from || from === scene.head) return;
  try {
    for (const commit of await changesSince(deps, scene, from, signal)) {
      const facts = { oid: commit.oid, subject: subjectOf(commit.message), author: commit.author.name, time: commit.time };
      const comment = { marker: `serin:change:${commit.oid}`, body: changeComment(scene.revert.spec.canaryRef.name, facts) };
      await host.comment(published.pullRequest.number, comment, signal);
    }
    deps.memory.toldUpTo.set(key, scene.head);
  } catch (error) {
    if (signal.aborted || !(error instanceof GitError || error instanceof GitHostError)) throw error;
    deps.log.debug({ revert: key, error: messageOf(error) }, "pull request could not be told of later commits");
  }
}

function firstUntold({ revert: { spec, status } }: Scene): string | undefined {
  return spec.evidence?.commit ?? status.base;
}

/** Oldest first. */
async function changesSince(deps: RevertDeps, scene: Scene, from: string, signal: AbortSignal): Promise<Commit[]> {
  const later = await deps.git.history(scene.remote, { from, to: scene.head }, signal);
  const found: Commit[] = [];
  for (const commit of later.slice(0, mostCommits).reverse()) if (await changesWorkload(deps, scene, commit, signal)) found.push(commit);
  return found;
}

async function changesWorkload(deps: RevertDeps, scene: Scene, { oid, parents: [parent] }: Commit, signal: AbortSignal): Promise<boolean> {
  if (parent === undefined) return false;
  const [before, after] = await Promise.all([parent, oid].map((at) => rendering(deps, scene, at, signal)));
  return before !== undefined && after !== undefined && !sameJson(workloadIn(scene, before), workloadIn(scene, after));
}

/** The target and the configs that it uses. */
function workloadIn({ revert }: Scene, objects: readonly KubeObject[]): unknown {
  const { namespace } = revert.metadata;
  const name = targetOf(revert, objects);
  const here = objects.filter(({ metadata }) => metadata.namespace === namespace);
  const target = here.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === name);
  const used = target ? configsUsedBy(target) : new Set<string>();
  return [
    target?.["spec"],
    here
      .filter(({ kind, metadata }) => used.has(`${kind}/${metadata.name}`))
      .map(({ kind, metadata, data, binaryData }) => [kind, metadata.name, data, binaryData]),
  ];
}
