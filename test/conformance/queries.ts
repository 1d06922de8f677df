import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { KubeObject } from "../../src/api/object.ts";
import type { Version } from "../../src/api/proxies.ts";
import type { Kube } from "../../src/kube/kube.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { prometheus } from "../../src/metrics/prometheus.ts";
import { sources } from "../../src/metrics/queries.ts";
import { kinds } from "../../src/sandbox/kinds.ts";
import { type LoadSnapshot, startLoad } from "../../src/sandbox/load/load.ts";
import { shopDeployment, shopService, statusField } from "../sandbox-cluster.ts";

/** A gateway that is scraped every second, an API server and a node that runs `serin.dev/shop`. */
export interface QuerySubject {
  readonly kube: Kube;
  readonly gatewayUrl: string;
  readonly prometheusUrl: string;
  /** A Gateway that takes routes of the namespace `shop`. */
  readonly parentRef: { readonly name: string; readonly namespace: string };
  close(): Promise<void>;
}

const signal = AbortSignal.timeout(300_000);
const patience = { timeout: 25_000, interval: 200 };

/** The queries that Serin ships, against requests that were counted on the way in. */
export function querySuite(name: string, factory: () => Promise<QuerySubject>): void {
  describe(`queries: ${name}`, () => {
    let subject: QuerySubject;
    const sent = new Map<string, LoadSnapshot>();
    const apply = async (...objects: KubeObject[]): Promise<void> => {
      for (const object of objects) await subject.kube.apply(object, { fieldManager: "query-suite" }, signal);
    };
    const route = (service: string): KubeObject => ({
      ...kinds.httpRoute,
      metadata: { name: service, namespace: "shop" },
      spec: { parentRefs: [subject.parentRef], hostnames: [`${service}.test`], rules: [{ backendRefs: [{ name: service, port: 80 }] }] },
    });
    const ask = (metric: "request-success-rate" | "request-duration", side: Version) => {
      const input = { namespace: "shop", target: "queried", service: "queried", ingress: "", port: 80, interval: "60s", side };
      return prometheus({ address: subject.prometheusUrl, timeoutMs: 5_000 }).query(sources.contour[metric](input), signal);
    };
    const value = async (...asked: Parameters<typeof ask>): Promise<number> => {
      const result = await ask(...asked);
      return result.kind === "number" ? result.value : NaN;
    };
    /** Sends for a while, until this many are answered. */
    const send = async (service: string, wanted: number): Promise<void> => {
      const stop = new AbortController();
      const load = startLoad({ url: subject.gatewayUrl, host: `${service}.test`, ratePerSecond: 60, signal: stop.signal });
      for (const deadline = systemClock.nowMs() + 60_000; load.snapshot().answered < wanted && systemClock.nowMs() < deadline; ) {
        await systemClock.sleep(50);
      }
      stop.abort();
      sent.set(service, await load.ended);
    };

    beforeAll(async () => {
      subject = await factory();
      const workloads = { "queried-primary": {}, "queried-canary": { ERROR_PERCENT: "25", LATENCY_MS: "120" } };
      for (const [service, env] of Object.entries(workloads)) {
        await apply(shopDeployment(service, { replicas: 1, env }), shopService(service), route(service));
      }
      for (const name of Object.keys(workloads)) {
        const live = () => subject.kube.get({ ...kinds.deployment, namespace: "shop", name }, signal);
        await vi.waitUntil(async () => statusField(await live(), "availableReplicas") === 1, patience);
      }
    });
    afterAll(async () => {
      await subject.close();
    });

    test("without any request there is no number, neither 0 nor 100", async () => {
      expect((await ask("request-success-rate", "canary")).kind).toBe("noData");
      expect((await ask("request-duration", "canary")).kind).toBe("noData");
    });

    test("the success rate is the share of answers that were no 5xx, of either side apart", async () => {
      await Promise.all([send("queried-canary", 300), send("queried-primary", 300)]);
      const { answered, failed, lost } = sent.get("queried-canary")!;
      expect({ lost, enough: answered >= 300, some: failed > 30 }).toEqual({ lost: 0, enough: true, some: true });
      // Exactly 100 is never given back by two sums of floats.
      await expect.poll(() => value("request-success-rate", "primary"), patience).toBeCloseTo(100, 6);
      // What came before a counter's first sample is not in its rate.
      await expect.poll(async () => Math.abs((await value("request-success-rate", "canary")) - 75), patience).toBeLessThan(9);
    });

    test("the 99th percentile is that side's, in milliseconds", async () => {
      // Seconds would be a thousandth of it, microseconds a thousand times as much; a busy machine adds what it likes.
      await expect.poll(() => value("request-duration", "canary"), patience).toBeGreaterThanOrEqual(120);
      const slow = await value("request-duration", "canary");
      expect(slow).toBeLessThan(60_000);
      await expect.poll(() => value("request-duration", "primary"), patience).toBeLessThan(slow);
    });
  });
}
