import { z } from "zod";
import type { KindRef } from "../api/object.ts";
import type { Clock } from "../lib/clock.ts";
import { orAborted } from "./abort.ts";
import { type ApiResource, KubeError } from "./kube.ts";
import type { Transport } from "./transport.ts";

/** Which kinds the API server serves, and where. */
export interface Discovery {
  /** `undefined`: not served now. Throws KubeError when the server could not say. */
  resource(kind: KindRef, signal: AbortSignal): Promise<ApiResource | undefined>;
  /** Forget what is known of this group version: an answer contradicted it. */
  forget(apiVersion: string): void;
}

/** Aggregated discovery: all group versions in two answers (Kubernetes 1.30, v2). */
const aggregated = z.object({
  kind: z.literal("APIGroupDiscoveryList"),
  items: z.array(z.object({
    metadata: z.object({ name: z.string().optional() }).optional(),
    versions: z.array(z.object({
      version: z.string(),
      freshness: z.string().optional(),
      resources: z.array(z.object({
        resource: z.string(),
        responseKind: z.object({ kind: z.string() }).optional(),
        scope: z.string(),
        verbs: z.array(z.string()),
      })).optional(),
    })),
  })),
});

/** One group version, as every server answers. */
const resourceList = z.object({
  resources: z.array(z.object({ name: z.string(), kind: z.string(), namespaced: z.boolean(), verbs: z.array(z.string()).default([]) })),
});

const acceptAggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
/** A kind that is missing is asked for again at most this often. */
const missMs = 1_000;

interface GroupVersion {
  readonly resources: ReadonlyMap<string, ApiResource>;
  /** By the clock that nobody sets. */
  readonly askedMs: number;
}

/**
 * Discovery with a cache. The whole is asked for once; after that a group version only when a kind of it is missing, so
 * that a new CRD is found within a second and an unknown kind costs one small request a second at most.
 */
export function createDiscovery(transport: Transport, clock: Clock, life: AbortSignal): Discovery {
  const known = new Map<string, GroupVersion>();
  const asking = new Map<string, Promise<GroupVersion>>();
  let everything: Promise<void> | undefined;

  const loadAll = (): Promise<void> => {
    everything ??= askAll(transport, clock, life).then(
      (all) => all.forEach((found, apiVersion) => known.set(apiVersion, found)),
      (error: unknown) => {
        everything = undefined;
        throw error;
      },
    );
    return everything;
  };
  const ask = (apiVersion: string): Promise<GroupVersion> => {
    const running = asking.get(apiVersion);
    if (running) return running;
    const started = askOne(transport, clock, { apiVersion, signal: life }).finally(() => asking.delete(apiVersion));
    asking.set(apiVersion, started);
    return started;
  };

  return {
    resource: async ({ apiVersion, kind }, signal) => {
      await orAborted(loadAll(), signal);
      const cached = known.get(apiVersion);
      const hit = cached?.resources.get(kind);
      if (hit || (cached && clock.elapsedMs() - cached.askedMs < missMs)) return hit;
      const fresh = await orAborted(ask(apiVersion), signal);
      known.set(apiVersion, fresh);
      return fresh.resources.get(kind);
    },
    forget: (apiVersion) => {
      known.delete(apiVersion);
    },
  };
}

/** All group versions, or none when the server does not speak aggregated discovery. */
async function askAll(transport: Transport, clock: Clock, signal: AbortSignal): Promise<Map<string, GroupVersion>> {
  // So old that a kind that is missing is asked for at once: it may be newer than this answer.
  const askedMs = clock.elapsedMs() - missMs;
  const all = new Map<string, GroupVersion>();
  const answers = await Promise.all(
    ["/api", "/apis"].map((path) => transport.json({ method: "GET", path, accept: acceptAggregated }, signal).catch(orNotFound)),
  );
  for (const [apiVersion, resources] of answers.flatMap(groupVersions)) all.set(apiVersion, { resources, askedMs });
  return all;
}

/** The group versions of one aggregated answer; none when it is another kind of answer. */
function groupVersions(answer: unknown): [string, Map<string, ApiResource>][] {
  const parsed = aggregated.safeParse(answer);
  if (!parsed.success) return [];
  return parsed.data.items.flatMap(({ metadata, versions }) =>
    versions.flatMap(({ version, freshness, resources = [] }): [string, Map<string, ApiResource>][] => {
      const apiVersion = metadata?.name ? `${metadata.name}/${version}` : version;
      return freshness === "Stale" ? [] : [[apiVersion, fromAggregated(apiVersion, resources)]];
    }),
  );
}

type AggregatedResource = NonNullable<z.infer<typeof aggregated>["items"][number]["versions"][number]["resources"]>[number];

function fromAggregated(apiVersion: string, resources: readonly AggregatedResource[]): Map<string, ApiResource> {
  return new Map(
    resources.flatMap(({ resource, responseKind, scope, verbs }): [string, ApiResource][] =>
      responseKind
        ? [[responseKind.kind, { apiVersion, kind: responseKind.kind, plural: resource, namespaced: scope === "Namespaced", verbs }]]
        : [],
    ),
  );
}

async function askOne(
  transport: Transport,
  clock: Clock,
  { apiVersion, signal }: { apiVersion: string; signal: AbortSignal },
): Promise<GroupVersion> {
  const path = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const answer = await transport.json({ method: "GET", path }, signal).catch(orNotFound);
  const found = answer === undefined ? [] : resourceList.parse(answer).resources.filter(({ name }) => !name.includes("/"));
  const resources = found.map(({ name, kind, namespaced, verbs }): [string, ApiResource] => [
    kind,
    { apiVersion, kind, plural: name, namespaced, verbs },
  ]);
  return { resources: new Map(resources), askedMs: clock.elapsedMs() };
}

function orNotFound(error: unknown): undefined {
  if (error instanceof KubeError && (error.code === 404 || error.code === 406)) return undefined;
  throw error;
}
