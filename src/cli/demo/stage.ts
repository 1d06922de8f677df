import { join } from "node:path";
import { apiVersion } from "../../api/meta.ts";
import type { KubeObject } from "../../api/object.ts";
import type { Kube, Informers } from "../../kube/kube.ts";
import type { GitUser } from "../../sandbox/git-server/users.ts";
import type { Sandbox } from "../../sandbox/start.ts";
import { type Developer, startDeveloper } from "./developer.ts";
import { teamFiles } from "./manifests.ts";

const ada = { login: "ada", password: "ada", token: "token-of-ada" };
const bob = { login: "bob", password: "bob", token: "token-of-bob" };
const serin = { login: "serin", password: "serin", token: "token-of-serin" };

/** Who has an account on the demo's Git server. The first one is you. */
export const people: readonly [GitUser, ...GitUser[]] = [ada, bob, serin];

/** Where the story takes place. */
export interface Stage {
  readonly kube: Kube;
  readonly informers: Informers;
  readonly gateway: string;
  /** The repository's page, for a browser. */
  readonly repositoryUrl: string;
  /** Address of its API, and a token of someone who may merge. */
  readonly gitApi: { readonly url: string; readonly token: string };
  /** The team whose release goes well and badly. */
  readonly shopTeam: Developer;
  /** The team that wants to ship meanwhile. */
  readonly cartTeam: Developer;
}

/** Fills the repository and tells the cluster to follow it. */
export async function prepare(
  { kube, informers, gateway, git }: Sandbox,
  { dir, searchPath }: { dir: string; searchPath: string },
  signal: AbortSignal,
): Promise<Stage> {
  const { cloneUrl } = await git.createRepository("acme", "apps");
  const clone = (name: string, { login, password }: GitUser) =>
    startDeveloper({ cloneUrl, dir: join(dir, login), name, login, password, searchPath }, signal);
  const shopTeam = await clone("Ada", ada);
  const cartTeam = await clone("Bob", bob);
  await shopTeam.push("Start with shop 1", teamFiles({ shop: "1", cart: "1" }), signal);
  for (const object of clusterObjects(cloneUrl)) await kube.apply(object, { fieldManager: "demo" }, signal);
  return {
    kube,
    informers,
    gateway,
    repositoryUrl: `${git.url}/acme/apps`,
    gitApi: { url: `${git.url}/api/v1/repos/acme/apps`, token: ada.token },
    shopTeam,
    cartTeam,
  };
}

/** What a platform team applies once: everything else comes from Git. */
function clusterObjects(url: string): KubeObject[] {
  const inShop = (name: string) => ({ name, namespace: "shop" });
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } },
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: inShop("git"),
      type: "Opaque",
      stringData: { username: serin.login, password: serin.token },
    },
    {
      apiVersion,
      kind: "GitRepository",
      metadata: inShop("apps"),
      spec: { url, ref: { branch: "main" }, interval: "1s", secretRef: { name: "git" }, host: { kind: "gitea" } },
    },
    {
      apiVersion,
      kind: "Sync",
      metadata: inShop("apps"),
      spec: { sourceRef: { name: "apps" }, path: "./apps", interval: "10s", prune: true },
    },
  ];
}
