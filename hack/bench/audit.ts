import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { z } from "zod";
import { systemClock } from "../../src/lib/clock.ts";

const entry = z.object({
  stage: z.string(),
  verb: z.string(),
  requestURI: z.string(),
  user: z.object({ username: z.string() }),
  objectRef: z.object({ resource: z.string().optional(), subresource: z.string().optional() }).optional(),
  requestReceivedTimestamp: z.string(),
  stageTimestamp: z.string(),
});

/** Requests by verb and resource, e.g. `patch configmaps`. */
export type Requests = ReadonlyMap<string, number>;

/** The API server's own word for what was asked of it. */
export interface Audit {
  /** A place in the log: everything after it is counted. */
  mark(): number;
  /** Requests of the user since the mark, each once; a watch counts when it begins. */
  since(mark: number): Requests;
  /** The same, once nothing has come for this time. */
  settled(mark: number, quietMs: number): Promise<Requests>;
  /** When the first of these requests since the mark came and the last was answered, ms since 1970. `undefined`: there was none. */
  span(mark: number, what: string): { readonly fromMs: number; readonly untilMs: number } | undefined;
}

/** Reads the audit log for one user. */
export function openAudit(file: string, username: string): Audit {
  const size = (): number => {
    const handle = openSync(file, "r");
    try {
      return fstatSync(handle).size;
    } finally {
      closeSync(handle);
    }
  };
  const since = (mark: number): Requests => countOf(textFrom(file, mark, size()), username);
  return {
    mark: size,
    since,
    settled: async (mark, quietMs) => {
      for (let seen = total(since(mark)), quiet = 0; ;) {
        await systemClock.sleep(100);
        const now = total(since(mark));
        quiet = now === seen ? quiet + 100 : 0;
        seen = now;
        if (quiet >= quietMs) return since(mark);
      }
    },
    span: (mark, what) => {
      const entries = entriesOf(textFrom(file, mark, size()), username).filter((one) => keyOf(one) === what);
      if (entries.length === 0) return undefined;
      const times = (key: "requestReceivedTimestamp" | "stageTimestamp"): number[] => entries.map((one) => Date.parse(one[key]));
      return { fromMs: Math.min(...times("requestReceivedTimestamp")), untilMs: Math.max(...times("stageTimestamp")) };
    },
  };
}

function textFrom(file: string, from: number, to: number): string {
  const handle = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(Math.max(0, to - from));
    readSync(handle, bytes, 0, bytes.length, from);
    return bytes.toString("utf8");
  } finally {
    closeSync(handle);
  }
}

function countOf(text: string, username: string): Requests {
  const counts = new Map<string, number>();
  for (const read of entriesOf(text, username)) counts.set(keyOf(read), (counts.get(keyOf(read)) ?? 0) + 1);
  return counts;
}

function entriesOf(text: string, username: string): Entry[] {
  // The last piece is a line that is still being written, or nothing.
  const lines = text.split("\n").slice(0, -1).filter((line) => line.includes(username));
  return lines.map((line) => entry.parse(JSON.parse(line))).filter((read) => read.user.username === username && isCounted(read));
}

type Entry = z.infer<typeof entry>;

function isCounted({ stage, verb }: Entry): boolean {
  return stage === (verb === "watch" ? "ResponseStarted" : "ResponseComplete");
}

function keyOf({ verb, requestURI, objectRef }: Entry): string {
  const resource = [objectRef?.resource ?? requestURI.split("?")[0], objectRef?.subresource].filter(Boolean).join("/");
  return `${verb} ${resource}${requestURI.includes("dryRun=") ? " (dry run)" : ""}`;
}

/** All requests but those of leader election and the renewal of watches, which a fleet at rest makes too. */
export function total(requests: Requests): number {
  return [...requests].reduce((sum, [what, count]) => (what.startsWith("watch ") || what.endsWith(" leases") ? sum : sum + count), 0);
}

/** `12: 9 patch configmaps, 3 create events`, for people. */
export function describeRequests(requests: Requests): string {
  const parts = [...requests].sort(([, a], [, b]) => b - a).map(([what, count]) => `${count} ${what}`);
  return `${total(requests)}: ${parts.join(", ")}`;
}
