import { apiVersion } from "../../src/api/meta.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { isRecord } from "../../src/lib/json.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { type Load, startLoad } from "../../src/sandbox/load/load.ts";
import { request } from "undici";
import { apply, becomes } from "./cluster.ts";
import type { Ground } from "./ground.ts";

/** A Deployment under a Canary, with a Service and, where it has users, a route of its own host. */
export interface Release {
  readonly namespace: string;
  readonly name: string;
}

/** How a release is made and judged. */
export interface ReleaseOptions {
  /** Image repository. Default: the shop, which answers requests. */
  readonly image?: "shop" | "idle";
  readonly replicas?: number;
  readonly analysis: Readonly<Record<string, unknown>>;
}

const deployment = { apiVersion: "apps/v1", kind: "Deployment" };
const canary = { apiVersion, kind: "Canary" };

/** Default analysis of measured.md's peers: ten percent at a time up to fifty, five failures, 99 % of answers good. */
export function peersAnalysis(interval: string): Readonly<Record<string, unknown>> {
  const metrics = [{ name: "request-success-rate", interval: "30s", thresholdRange: { min: 99 } }];
  return { interval, threshold: 5, stepWeight: 10, maxWeight: 50, metrics };
}

/** Seconds since 1970 of a moment that no run lives to see. */
export const never = 4_000_000_000;

/**
 * An analysis that passes until this moment (seconds since 1970) and fails from then on, whatever is served. The primary always
 * passes: what fails both blames nobody.
 */
export function failsFrom(epochSeconds: number, steps: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const side = (name: string): string => `label_replace(vector(1), "side", "${name}", "", "")`;
  const isPrimary = `${side("{{ target }}")} and on (side) ${side("{{ name }}-primary")}`;
  const query = `(vector(100) and on () (${isPrimary})) or vector(100 * (time() < bool ${epochSeconds}))`;
  return { interval: "1s", threshold: 1, ...steps, metrics: [{ name: "told", interval: "1s", query, thresholdRange: { min: 99 } }] };
}

/** The Deployment of a release, at a tag. */
export function deploymentOf({ namespace, name }: Release, tag: string, { image = "shop", replicas = 1 }: Partial<ReleaseOptions> = {}): KubeObject {
  const probe = { httpGet: { path: "/readyz", port: "http" }, periodSeconds: 1, failureThreshold: 1 };
  const container = {
    name: "app",
    image: `serin.dev/${image}:${tag}`,
    ...(image === "shop" ? { ports: [{ name: "http", containerPort: 8080 }], readinessProbe: probe } : {}),
  };
  const template = { metadata: { labels: { app: name } }, spec: { containers: [container] } };
  return { ...deployment, metadata: { namespace, name }, spec: { replicas, selector: { matchLabels: { app: name } }, template } };
}

/** The Canary of a release. */
export function canaryOf({ namespace, name }: Release, { image = "shop", analysis }: ReleaseOptions): KubeObject {
  const service = {
    port: 80,
    targetPort: image === "shop" ? "http" : 8080,
    hosts: [hostOf({ namespace, name })],
    gatewayRefs: [{ name: "public", namespace: "gateway" }],
  };
  const spec = { targetRef: { kind: "Deployment", name }, progressDeadlineSeconds: 120, service, analysis, revert: { strategy: "None" } };
  return { ...canary, metadata: { namespace, name }, spec };
}

/** Name under which its users reach it. */
export function hostOf({ namespace, name }: Release): string {
  return `${name}.${namespace}.example`;
}

/** Puts a Deployment under its Canary and waits until that is done. */
export async function underCanary(ground: Ground, release: Release, options: ReleaseOptions, signal: AbortSignal): Promise<void> {
  await apply(ground, { apiVersion: "v1", kind: "Namespace", metadata: { name: release.namespace } }, signal);
  await apply(ground, deploymentOf(release, "1", options), signal);
  await apply(ground, canaryOf(release, options), signal);
  await phase(ground, release, "Initialized", signal);
}

/** Resolves with the time (performance.now) at which the watch showed the Canary in this phase. */
export function phase({ kube }: Ground, release: Release, wanted: string, signal: AbortSignal): Promise<number> {
  return becomes(kube, { ...canary, ...release }, ({ status }) => isRecord(status) && status["phase"] === wanted, signal);
}

/** Users of a release. */
export interface Users {
  readonly load: Load;
  /** When the last answer of this version came, by performance.now; `undefined`: never. */
  lastAnswerOf(version: string): number | undefined;
  stop(): Promise<void>;
}

const samplingMs = 5;

/** Starts users once the gateway serves the release. */
export async function startUsers(ground: Ground, release: Release, ratePerSecond: number, signal: AbortSignal): Promise<Users> {
  const host = hostOf(release);
  while (!(await isServed(ground.facts.gateway, host))) await systemClock.sleep(100, signal);
  const life = new AbortController();
  const load = startLoad({ url: ground.facts.gateway, host, ratePerSecond, signal: life.signal });
  const seen = new Map<string, { answered: number; at: number }>();
  const sampler = setInterval(() => {
    for (const [version, { answered }] of load.snapshot().versions) {
      if (seen.get(version)?.answered !== answered) seen.set(version, { answered, at: performance.now() });
    }
  }, samplingMs);
  return {
    load,
    lastAnswerOf: (version) => seen.get(version)?.at,
    stop: async () => {
      clearInterval(sampler);
      life.abort();
      await load.ended;
    },
  };
}

async function isServed(gateway: string, host: string): Promise<boolean> {
  try {
    const { statusCode, body } = await request(gateway, { headers: { host } });
    await body.dump();
    return statusCode === 200;
  } catch {
    return false;
  }
}
