import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { startClone } from "../../../test/e2e/clone.ts";
import { gitApi } from "../../../test/e2e/git-api.ts";
import { apiVersion } from "../../../src/api/meta.ts";
import type { KubeObject } from "../../../src/api/object.ts";
import { isRecord } from "../../../src/lib/json.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { allBecome, apply, removeAll } from "../cluster.ts";
import type { Ground } from "../ground.ts";
import { canaryOf, deploymentOf, failsFrom, phase, type Release } from "../release.ts";
import type { Scenario } from "../row.ts";

/** From the verdict to a pull request that a person can merge. */
export const revert: Scenario = {
  name: "revert",
  summary: "verdict to commit pushed and pull request open on Gitea, beside git revert and git push by the CLI",
  run: async (ground, signal) => ground.withSerin(() => measured(ground, signal)),
};

async function measured(ground: Ground, signal: AbortSignal): ReturnType<Scenario["run"]> {
  const { gitea, dir } = ground.facts;
  const namespace = ground.name("revert");
  const release: Release = { namespace, name: "shop" };
  const { status } = await gitApi(gitea.url, gitea.accounts.person, "POST", `/orgs/${gitea.organization}/repos`, { name: namespace, default_branch: "main" });
  if (status !== 201) throw new Error(`Gitea made no repository: ${status}`);
  const url = `${gitea.url}/${gitea.organization}/${namespace}.git`;
  const clone = await startClone({ url, dir: join(dir, namespace), account: gitea.accounts.person, name: "Ada" });
  const analysis = failsFrom(0, { stepWeights: [10, 20] });
  const canary = canaryOf(release, { image: "idle", analysis });
  const withRevert = { ...canary, spec: { ...(canary["spec"] as object), revert: { strategy: "PullRequest" } } };
  const file = (object: object): string => JSON.stringify(object);
  const files = (tag: string) => ({ "apps/shop.yaml": file(deploymentOf(release, tag, { image: "idle" })), "apps/canary.yaml": file(withRevert) });
  await clone.push("Start", files("1"));
  await source(ground, { namespace, url }, signal);
  await phase(ground, release, "Initialized", signal);
  const proposed = allBecome(ground.kube, { kind: { apiVersion, kind: "Revert" }, namespace, count: 1 }, isProposed, signal);
  const failed = phase(ground, release, "Failed", signal);
  await clone.push("Release 2", files("2"));
  const decided = await failed;
  const pushedSeconds = ((await branchAt(ground, namespace, signal)) - decided) / 1_000;
  const seconds = ((await proposed) - decided) / 1_000;
  const byHand = await revertByHand((...args) => clone.git(...args));
  ground.say(`verdict to branch ${pushedSeconds.toFixed(2)} s, to pull request ${seconds.toFixed(2)} s, git revert and push ${byHand.toFixed(2)} s`);
  await removeAll(ground, namespace, signal);
  const work = "verdict, commit pushed, pull request open";
  return {
    figures: [
      { work, what: "pull request open after", value: seconds, unit: "s", limit: 3, peer: "never" },
      {
        work,
        what: "commit pushed after",
        value: pushedSeconds,
        unit: "s",
        beside: { what: "git revert and push", value: byHand },
        limit: 1,
        peer: "never",
      },
    ],
  };
}

async function source(ground: Ground, { namespace, url }: { namespace: string; url: string }, signal: AbortSignal): Promise<void> {
  const { login, token } = ground.facts.gitea.accounts.serin;
  await apply(ground, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }, signal);
  await apply(ground, { apiVersion: "v1", kind: "Secret", metadata: { namespace, name: "git" }, stringData: { username: login, password: token } }, signal);
  const spec = { url, ref: { branch: "main" }, interval: "1s", secretRef: { name: "git" }, host: { kind: "gitea" } };
  await apply(ground, { apiVersion, kind: "GitRepository", metadata: { namespace, name: "app" }, spec }, signal);
  const sync = { sourceRef: { name: "app" }, path: "./apps", interval: "10m", prune: true, targetNamespace: namespace };
  await apply(ground, { apiVersion, kind: "Sync", metadata: { namespace, name: "app" }, spec: sync }, signal);
}

/** When (by performance.now) the Git host had a branch of ours. */
async function branchAt({ facts: { gitea } }: Ground, repository: string, signal: AbortSignal): Promise<number> {
  const path = `/repos/${gitea.organization}/${repository}/branches`;
  for (;;) {
    const { json } = await gitApi(gitea.url, gitea.accounts.person, "GET", path);
    if (JSON.stringify(json ?? "").includes('"serin/revert/')) return performance.now();
    await systemClock.sleep(10, signal);
  }
}

function isProposed({ status }: KubeObject): boolean {
  return isRecord(status) && status["phase"] === "Proposed";
}

/** Seconds that a person's git takes for the same: a branch with the revert on it, pushed. */
async function revertByHand(git: (...args: string[]) => Promise<string>): Promise<number> {
  await systemClock.sleep(2_000);
  execFileSync("sync");
  const start = performance.now();
  await git("fetch", "--quiet", "origin", "main");
  await git("checkout", "--quiet", "-b", "by-hand", "FETCH_HEAD");
  await git("revert", "--no-edit", "HEAD");
  await git("push", "--quiet", "origin", "by-hand");
  return (performance.now() - start) / 1_000;
}
