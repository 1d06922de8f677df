import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { queryApi } from "./api.ts";
import { scrapeUntilAborted } from "./scrape.ts";
import type { MetricsOptions, RunningMetrics } from "./metrics.ts";
import { createTsdb } from "./tsdb.ts";

// At one scrape a second together at most some hundred megabytes, most often a few.
const retentionMs = 10 * 60_000;
const maxSeries = 5_000;

/** Our own small stand-in for Prometheus, in this process. */
export async function startEmbedded(options: MetricsOptions): Promise<RunningMetrics> {
  const db = createTsdb({ retentionMs, maxSeries });
  const server = queryApi(db, () => options.clock.nowMs());
  server.listen({ port: options.port ?? 0, host: "127.0.0.1", signal: options.signal });
  await once(server, "listening", { signal: options.signal });
  const stop = new AbortController();
  const scraping = scrapeUntilAborted(db, options, AbortSignal.any([options.signal, stop.signal]));
  const { port } = server.address() as AddressInfo;
  return {
    kind: "embedded",
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      stop.abort();
      server.close();
      server.closeAllConnections();
      await scraping;
    },
  };
}
