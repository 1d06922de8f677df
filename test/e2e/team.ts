import { join } from "node:path";
import { request } from "undici";
import { expect } from "vitest";
import { names } from "../../src/api/meta.ts";
import type { KubeObject, ObjectRef } from "../../src/api/object.ts";
import type { Revert, RevertPhase } from "../../src/api/revert.ts";
import { type Load, startLoad } from "../../src/sandbox/load/load.ts";
import { type Clone, startClone } from "./clone.ts";
import { type ApiAnswer, type ApiMethod, gitApi, type Pull } from "./git-api.ts";
import { type CanaryOptions, deployment, type Files, type ServiceOptions } from "./manifests.ts";
import type { Account, Place } from "./place.ts";
import { type Eyes, seen, type Sight, sightOf } from "./sight.ts";
import { clusterObjects, filesOf } from "./start-of-team.ts";

/** What a team begins with. */
export interface TeamOptions {
  /** What runs, by name; each has a Canary and users. Default: one service, `shop`. */
  readonly services?: Readonly<Record<string, ServiceOptions>>;
  /** Of all its Canaries. */
  readonly canary?: CanaryOptions;
  /** More files, or others in the place of the generated ones. */
  readonly files?: (team: Pick<Team, "namespace" | "host">) => Files;
  /** Folders that are applied, each by a Sync of its name. Default: apps. */
  readonly syncs?: readonly string[];
  /** How often the repository is polled. Default: 2s. */
  readonly interval?: string;
  /** Requests a second for each service. Default: 10. */
  readonly traffic?: number;
  /** Canaries that have users, when they are not those of the services. */
  readonly users?: readonly string[];
}

/** People with a repository, a namespace and users of what they run. They have nothing in common with any other team. */
export interface Team extends Sight {
  readonly place: Place;
  readonly namespace: string;
  /** Name of the repository. */
  readonly repository: string;
  /** Ada's clone. */
  readonly ada: Clone;
  /** Somebody else's clone, e.g. the image bot's. */
  clone(who: "person" | "bot", name: string): Promise<Clone>;
  /** Name under which users reach a service. */
  host(service: string): string;
  /** Pushes a commit that gives a service this tag, or these options. Returns the commit's id. */
  releases(service: string, options: string | ServiceOptions, message?: string): Promise<string>;
  /** Users of a service, since it was put under its Canary. */
  users(service: string): Load;
  /** Waits until the primary runs this tag and the Canary is at rest. */
  promoted(service: string, tag: string): Promise<void>;
  /** Waits until the Canary has failed and all traffic is back. Returns why, e.g. `CheckFailed, the commit's fault: …`. */
  rolledBack(service: string): Promise<string>;
  /** Waits until the target says the promoted tag again although Git says another. */
  held(service: string, tag: string): Promise<void>;
  /** Waits until no Sync of the team holds anything back. */
  nothingHeld(): Promise<void>;
  /**
   * Waits for the Revert to be in this phase. Many teams of this suite fail within minutes of each other, which Serin takes for
   * an outage and proposes nothing: the platform team, which knows better, releases what is waited for to leave Git.
   */
  revertIs(service: string, phase: RevertPhase, reason?: string): Promise<Revert>;
  /** The Revert of a service, if there is one, released when it is held as part of a storm. */
  releasedRevert(service: string): Promise<Revert | undefined>;
  /** Waits until a Revert has nothing more to do by itself, and tells its phase and reason. */
  revertSettles(service: string): Promise<string>;
  /** Says that a Revert which is only held shall be proposed. */
  releasesRevert(revert: Revert): Promise<void>;
  /** Waits for the pull request that proposes the revert. */
  pullRequest(service: string): Promise<Pull>;
  /** Waits until the failed run's pods have gone. */
  atRest(service: string): Promise<void>;
  /** Calls the host's API below the repository. */
  api(method: ApiMethod, path: string, body?: object, who?: Account): Promise<ApiAnswer>;
  /** All pull requests, oldest first. */
  pulls(): Promise<Pull[]>;
  comments(pull: Pull): Promise<string[]>;
  /** Branches on the host that Serin made. */
  revertBranches(): Promise<string[]>;
  /** What a file says on the host's main branch. */
  fileAtMain(path: string): Promise<string>;
  merges(pull: Pull, style?: "merge" | "squash" | "rebase"): Promise<void>;
  closes(pull: Pull): Promise<void>;
  /** Applies as the platform team would, beside Git. */
  applies(...objects: KubeObject[]): Promise<void>;
  /** Deletes as with kubectl. */
  deletes(kind: { apiVersion: string; kind: string }, name: string): Promise<void>;
  patches(kind: { apiVersion: string; kind: string }, name: string, patch: object, subresource?: string): Promise<void>;
}

const fieldManager = "platform-team";
const limit = (): AbortSignal => AbortSignal.timeout(60_000);

interface Setting {
  readonly place: Place;
  readonly eyes: Eyes;
  readonly name: string;
  /** Ends the users' requests. */
  readonly signal: AbortSignal;
}

/** Starts a team: what it begins with is pushed, runs and has users. */
export async function startTeam({ place, eyes, name, signal }: Setting, options: TeamOptions = {}): Promise<Team> {
  // A cluster that lasts may have had a team of this name before.
  const namespace = place.lasting ? `${name}-${Math.random().toString(36).slice(2, 6)}` : name;
  const sight = sightOf(place, eyes, namespace);
  const { git, kube } = place;
  const host = (service: string): string => `${service}.${namespace}.example`;
  const services = options.services ?? { shop: {} };
  const clone: Team["clone"] = (who, author) =>
    startClone({
      url: `${git.url}/${git.organization}/${namespace}.git`,
      dir: join(place.dir, namespace, author),
      account: git.accounts[who],
      name: author,
    });
  await git.createRepository(namespace);
  const ada = await clone("person", "Ada");
  const users = new Map<string, Load>();
  const api: Team["api"] = (method, path, body, who = git.accounts.person) =>
    gitApi(git.url, who, method, `/repos/${git.organization}/${namespace}${path}`, body);
  const patches: Team["patches"] = async (kind, object, patch, subresource) => {
    await kube.patch({ ...kind, namespace, name: object }, patch, { fieldManager, subresource }, limit());
  };
  const revertIs: Team["revertIs"] = (service, phase, reason = "") =>
    sight.until(`the Revert of ${service} to be ${phase} ${reason}`, async () => {
      const found = phase === "Planned" ? sight.revert(service) : await team.releasedRevert(service);
      return found?.status.phase === phase && sight.ready(seen.revert, found.metadata.name).includes(reason) ? found : undefined;
    });
  const pulls: Team["pulls"] = async () =>
    ((await api("GET", "/pulls?state=all")).json as Pull[]).sort((a, b) => a.number - b.number);
  const team: Team = {
    ...sight,
    place,
    namespace,
    repository: namespace,
    ada,
    clone,
    host,
    api,
    pulls,
    patches,
    revertIs,
    releasedRevert: async (service) => {
      const found = sight.revert(service);
      const isStorm = found !== undefined && sight.ready(seen.revert, found.metadata.name).includes("Storm");
      if (isStorm && found.metadata.annotations?.[names.release] === undefined) await team.releasesRevert(found);
      return found;
    },
    revertSettles: (service) =>
      sight.until(`the Revert of ${service} to settle`, async () => {
        const found = await team.releasedRevert(service);
        const [, reason = ""] = /^\S+ (\w+)/.exec(found ? sight.ready(seen.revert, found.metadata.name) : "") ?? [];
        const settled = found && !["", "Storm", "Proposing", "Planned"].includes(reason);
        return settled ? `${found.status.phase ?? ""} ${reason}` : undefined;
      }),
    releasesRevert: (revert) => patches(seen.revert, revert.metadata.name, { metadata: { annotations: { [names.release]: "on-call" } } }),
    releases: (service, release, message) => {
      const wanted = typeof release === "string" ? { ...services[service], tag: release } : release;
      const text = message ?? `Release ${service} ${wanted.tag ?? ""}`.trim();
      return ada.push(text, { [`apps/${service}.yaml`]: deployment(service, wanted) });
    },
    users: (service) => {
      const load = users.get(service);
      if (!load) throw new Error(`${service} has no users`);
      return load;
    },
    promoted: async (service, tag) => {
      await sight.until(`${service} ${tag} to be promoted`, () => {
        const { phase } = sight.canary(service);
        return sight.tag(`${service}-primary`) === tag && (phase === "Succeeded" || phase === "Initialized");
      });
    },
    rolledBack: (service) =>
      sight.until(`${service} to be rolled back`, () => {
        const { phase, canaryWeight, failure } = sight.canary(service);
        if (phase !== "Failed" || canaryWeight !== 0 || !failure) return undefined;
        return `${failure.reason}, ${failure.propose ? "" : "not "}the commit's fault: ${failure.message}`;
      }),
    held: async (service, tag) => {
      await sight.until(`${service} to be held at ${tag}`, () => {
        return sight.list(seen.sync).flatMap(holdingOf).includes(service) && sight.tag(service) === tag;
      });
    },
    nothingHeld: async () => {
      await sight.until("nothing to be held", () => sight.list(seen.sync).flatMap(holdingOf).length === 0);
    },
    pullRequest: async (service) => {
      const { status } = await revertIs(service, "Proposed");
      const pull = (await pulls()).find(({ number }) => number === status.pullRequest?.number);
      if (!pull) throw new Error(`no pull request ${status.pullRequest?.number ?? ""} on the host`);
      return pull;
    },
    atRest: async (service) => {
      await sight.until(`the canary's pods of ${service} to be gone`, () => {
        const own = sight.list(seen.pod).filter(({ metadata }) => metadata.labels?.["app"] === service);
        const spec = sight.find(seen.deployment, service)?.["spec"] as { replicas?: number } | undefined;
        return spec?.replicas === 0 && own.length === 0;
      });
    },
    comments: async ({ number }) => ((await api("GET", `/issues/${number}/comments`)).json as { body: string }[]).map(({ body }) => body),
    revertBranches: async () => {
      const refs = await ada.git("ls-remote", "origin", "refs/heads/serin/*");
      return refs.split("\n").filter((line) => line !== "").map((line) => line.replace(/^.*refs\/heads\//, ""));
    },
    fileAtMain: (path) => ada.fileAtMain(path),
    merges: async ({ number }, style = "merge") => {
      await sight.until(`pull request ${number} to be merged`, async () => {
        const { status, json } = await api("POST", `/pulls/${number}/merge`, { Do: style });
        // Gitea looks for conflicts in the background first, and asks to try again until it has.
        if (status === 405 || status === 409) return false;
        if (status !== 200) throw new Error(`merge by ${style}: ${status} ${JSON.stringify(json)}`);
        return true;
      });
    },
    closes: async ({ number }) => {
      const { status } = await api("PATCH", `/pulls/${number}`, { state: "closed" });
      if (status !== 201) throw new Error(`pull request ${number} cannot be closed: ${status}`);
    },
    applies: async (...objects) => {
      for (const { metadata, ...object } of objects)
        await kube.apply({ ...object, metadata: { namespace, ...metadata } } as KubeObject, { fieldManager }, limit());
    },
    deletes: async (kind, object) => kube.delete({ ...kind, namespace, name: object } satisfies ObjectRef, {}, limit()),
  };
  await ada.push("Start", { ...filesOf(team, services, options), ...options.files?.(team) });
  for (const object of clusterObjects(team, options)) await kube.apply(object, { fieldManager }, limit());
  for (const service of options.users ?? Object.keys(services)) {
    await sight.until(`${service} to be put under its Canary`, () => sight.canary(service).phase === "Initialized");
    // Initialized is the intent; the route follows at once, but the gateway has to hear of it before users come.
    await sight.until(`${service} to answer`, () => answers(place.gateway, host(service)));
    users.set(service, startLoad({ url: place.gateway, host: host(service), ratePerSecond: options.traffic ?? 10, signal }));
  }
  return team;
}

function holdingOf({ status }: KubeObject): string[] {
  return (status as { holding?: string[] } | undefined)?.holding ?? [];
}

async function answers(gateway: string, host: string): Promise<boolean> {
  try {
    const { statusCode, body } = await request(gateway, { headers: { host }, signal: limit() });
    await body.dump();
    return statusCode === 200;
  } catch {
    // A gateway may listen only from its first route on.
    return false;
  }
}

/** Fails when any request of these users got an error or no answer, saying which. */
export function expectNoneFailed(load: Load): void {
  const { failed, lost, skipped, statuses, versions, errors } = load.snapshot();
  const told = { failed, lost, skipped, errors, statuses: Object.fromEntries(statuses), versions: Object.fromEntries(versions) };
  expect(told).toEqual({ ...told, failed: 0, lost: 0, skipped: 0, errors: [] });
}

/** Everything of the team goes with its namespace; a cluster that lasts must not keep any of it. */
export async function leave(team: Team): Promise<void> {
  const { place, namespace } = team;
  await place.kube.delete({ ...seen.namespace, name: namespace }, {}, limit());
  await team.until(`namespace ${namespace} to be gone`, () => team.find(seen.namespace, namespace) === undefined);
}
