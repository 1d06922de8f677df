import type { Dispatcher } from "undici";
import { Pool } from "undici";
import type { Clock } from "../../lib/clock.ts";
import { systemClock } from "../../lib/clock.ts";

/** What a load is made of. */
interface LoadOptions {
  /** Loopback only: this is no tool to hit others with. */
  readonly url: string;
  /** The Host header, as users send it. */
  readonly host: string;
  readonly ratePerSecond: number;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Requests that may be open at once; more are counted as `skipped`, never piled up. Default 256. */
  readonly maxInFlight?: number;
  readonly timeoutMs?: number;
  readonly clock?: Clock;
  /** Ends it; what is in flight is still counted. */
  readonly signal: AbortSignal;
}

/** Counts since the start. */
export interface LoadSnapshot {
  readonly sent: number;
  readonly answered: number;
  /** Got no answer at all. */
  readonly lost: number;
  /** Answers with 5xx. */
  readonly failed: number;
  /** Due but not sent, because too many were open. */
  readonly skipped: number;
  /** Answers by status. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Answers by the version that gave them (header `x-version`; `-` where there is none), and how many of them were 5xx. */
  readonly versions: ReadonlyMap<string, { readonly answered: number; readonly failed: number }>;
  /** Time to the end of the answer. `undefined`: none yet. */
  readonly latencyMs: { readonly p50: number; readonly p99: number } | undefined;
  /** Why requests were lost, newest last, at most ten. */
  readonly errors: readonly string[];
}

/** A running load. */
export interface Load {
  snapshot(): LoadSnapshot;
  /** Resolves when the last answer is in. */
  readonly ended: Promise<LoadSnapshot>;
}

const kept = 2_000;

/** Open-loop load: requests start on schedule, whatever the answers do, as those of independent users. */
export function startLoad(options: LoadOptions): Load {
  const { signal, clock = systemClock, maxInFlight = 256 } = options;
  const { hostname, origin } = new URL(options.url);
  if (hostname !== "127.0.0.1" && hostname !== "localhost") throw new Error(`load.url is ${options.url}; load is only sent to 127.0.0.1`);
  const pool = new Pool(origin, { connections: maxInFlight, keepAliveTimeout: 4_000 });
  const tally = createTally();
  const open = new Set<Promise<void>>();
  const startOne = (): void => {
    if (open.size >= maxInFlight) return tally.skip();
    const one: Promise<void> = sendOne(pool, options, tally).finally(() => open.delete(one));
    open.add(one);
  };
  const run = async (): Promise<LoadSnapshot> => {
    const startedMs = clock.nowMs();
    for (let started = 0; !signal.aborted; ) {
      const due = Math.floor(((clock.nowMs() - startedMs) / 1_000) * options.ratePerSecond);
      for (; started < due; started++) startOne();
      await clock.sleep(Math.max(1, Math.min(20, 1_000 / options.ratePerSecond)), signal).catch(() => {});
    }
    await Promise.all(open);
    await pool.close();
    return tally.snapshot();
  };
  return { snapshot: tally.snapshot, ended: run() };
}

async function sendOne(pool: Pool, { host, path = "/", headers, timeoutMs = 10_000 }: LoadOptions, tally: Tally): Promise<void> {
  const startedMs = performance.now();
  tally.send();
  try {
    const request: Dispatcher.RequestOptions = {
      method: "GET",
      path,
      headers: { ...headers, host },
      signal: AbortSignal.timeout(timeoutMs),
    };
    const { statusCode, headers: answered, body } = await pool.request(request);
    await body.dump();
    const version = answered["x-version"];
    tally.answer(statusCode, typeof version === "string" ? version : "-", performance.now() - startedMs);
  } catch (error) {
    tally.lose(error instanceof Error ? error.message : String(error));
  }
}

interface Tally {
  send(): void;
  skip(): void;
  answer(status: number, version: string, tookMs: number): void;
  lose(why: string): void;
  readonly snapshot: () => LoadSnapshot;
}

function createTally(): Tally {
  let [sent, answered, lost, failed, skipped] = [0, 0, 0, 0, 0];
  const statuses = new Map<number, number>();
  const versions = new Map<string, { answered: number; failed: number }>();
  const latencies: number[] = [];
  const errors: string[] = [];
  return {
    send: () => void sent++,
    skip: () => void skipped++,
    answer: (status, version, tookMs) => {
      const bad = status >= 500 ? 1 : 0;
      answered++;
      failed += bad;
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      const before = versions.get(version) ?? { answered: 0, failed: 0 };
      versions.set(version, { answered: before.answered + 1, failed: before.failed + bad });
      latencies.push(tookMs);
      if (latencies.length > kept) latencies.shift();
    },
    lose: (why) => {
      lost++;
      errors.push(why);
      if (errors.length > 10) errors.shift();
    },
    snapshot: () => {
      const sorted = [...latencies].sort((a, b) => a - b);
      const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
      const latencyMs = sorted.length > 0 ? { p50: at(0.5), p99: at(0.99) } : undefined;
      return {
        sent,
        answered,
        lost,
        failed,
        skipped,
        statuses: new Map(statuses),
        versions: new Map(versions),
        latencyMs,
        errors: [...errors],
      };
    },
  };
}
