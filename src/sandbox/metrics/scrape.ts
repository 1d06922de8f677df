import { request } from "undici";
import type { Clock } from "../../lib/clock.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { parseExposition } from "./exposition.ts";
import { type Labels, labelsOf, signatureOf } from "./labels.ts";
import type { Tsdb } from "./tsdb.ts";

const maxExpositionBytes = 16 * 1024 * 1024;
/** How the sandbox' one scrape job is called, in both kinds of metric server. */
export const scrapeJob = "sandbox";

/** What a scraper needs. */
interface ScrapeOptions {
  /** Addresses of expositions, asked anew before each round. */
  readonly targets: () => readonly string[];
  readonly scrapeIntervalMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The series that a target's last scrape had. */
type Seen = ReadonlyMap<string, Labels>;

/** Scrapes all targets until the signal aborts. What a target no longer exposes ends at once, as in Prometheus. */
export async function scrapeUntilAborted(
  db: Tsdb,
  { targets, scrapeIntervalMs, clock, log }: ScrapeOptions,
  signal: AbortSignal,
): Promise<void> {
  let seen: ReadonlyMap<string, Seen> = new Map();
  while (!signal.aborted) {
    const startedMs = clock.nowMs();
    const addresses = [...new Set(targets())];
    const rounds = await Promise.all(
      addresses.map(
        async (address) =>
          [
            address,
            await scrapeOne(db, { address, before: seen.get(address) ?? new Map(), timeoutMs: scrapeIntervalMs, clock, log }, signal),
          ] as const,
      ),
    );
    for (const [address, before] of seen)
      if (!addresses.includes(address)) endSeries(db, { before, now: new Map(), timeMs: clock.nowMs() });
    seen = new Map(rounds);
    db.trim(clock.nowMs());
    await clock.sleep(Math.max(0, startedMs + scrapeIntervalMs - clock.nowMs()), signal).catch(() => {});
  }
}

interface OneScrape {
  readonly address: string;
  readonly before: Seen;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

async function scrapeOne(db: Tsdb, { address, before, timeoutMs, clock, log }: OneScrape, signal: AbortSignal): Promise<Seen> {
  const timeMs = clock.nowMs();
  const target: [string, string][] = [
    ["instance", new URL(address).host],
    ["job", scrapeJob],
  ];
  const up = labelsOf([["__name__", "up"], ...target]);
  try {
    const text = await fetchExposition(address, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
    const now = new Map<string, Labels>();
    for (const sample of parseExposition(text)) {
      const labels: Labels = new Map([...target, ...sample.labels]);
      now.set(signatureOf(labels), labels);
      const room = db.append(labels, { timeMs: sample.timeMs ?? timeMs, value: sample.value });
      if (!room) log.warn({ target: address }, "sandbox metrics are full");
    }
    db.append(up, { timeMs, value: 1 });
    now.set(signatureOf(up), up);
    endSeries(db, { before, now, timeMs });
    return now;
  } catch (err) {
    if (signal.aborted) return before;
    log.debug({ target: address, error: messageOf(err) }, "sandbox scrape failed");
    db.append(up, { timeMs, value: 0 });
    const now = new Map([[signatureOf(up), up]]);
    endSeries(db, { before, now, timeMs });
    return now;
  }
}

function endSeries(db: Tsdb, { before, now, timeMs }: { before: Seen; now: Seen; timeMs: number }): void {
  for (const [signature, labels] of before) if (!now.has(signature)) db.append(labels, { timeMs, value: undefined });
}

async function fetchExposition(address: string, signal: AbortSignal): Promise<string> {
  const response = await request(address, { signal, headers: { accept: "text/plain;version=0.0.4" } });
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxExpositionBytes) throw new Error(`exposition is larger than ${maxExpositionBytes} bytes`);
    chunks.push(chunk);
  }
  if (response.statusCode !== 200) throw new Error(`answered ${response.statusCode}`);
  return Buffer.concat(chunks).toString("utf8");
}
