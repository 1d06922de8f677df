import type { Canary } from "../../api/canary.ts";
import { keyOf } from "../../api/object.ts";
import type { Seen } from "../../canary/decide.ts";
import { judged, progressedMs } from "../../canary/steps.ts";
import { primaryRevision } from "../../canary/workloads.ts";
import type { Clock } from "../../lib/clock.ts";

/** How long workloads have not been ready, by a clock that nobody sets and as far as this process has seen. A restart begins anew. */
export interface UnreadyTimes {
  /** How long until now, going by what was noted last. */
  until(canary: Canary): Seen["unreadyMs"];
  /** Takes down what is so now, and says for how long. */
  note(canary: Canary, seen: Pick<Seen, "canary" | "primary">): Seen["unreadyMs"];
  /** The Canary of this key is gone. */
  forget(key: string): void;
}

/** Something that is not ready, since when. What becomes another thing begins anew. */
interface Unready {
  readonly what: string;
  readonly sinceMs: number;
}

type Part = keyof Seen["unreadyMs"];
const parts: readonly Part[] = ["canary", "primary"];

/** Nothing was seen yet. */
export function createUnreadyTimes(clock: Pick<Clock, "elapsedMs">): UnreadyTimes {
  const known = new Map<string, Partial<Record<Part, Unready>>>();
  const until: UnreadyTimes["until"] = (canary) => {
    const noted = known.get(keyOf(canary.metadata));
    const forMs = (part: Part): number => {
      const entry = noted?.[part];
      return entry !== undefined && entry.what === whatIs(canary, part) ? clock.elapsedMs() - entry.sinceMs : 0;
    };
    return { canary: forMs("canary"), primary: forMs("primary") };
  };
  return {
    until,
    note: (canary, seen) => {
      const before = until(canary);
      const unready = parts.flatMap((part): [Part, Unready][] => {
        const what = whatIs(canary, part);
        return what === undefined || seen[part].state === "ready" ? [] : [[part, { what, sinceMs: clock.elapsedMs() - before[part] }]];
      });
      const key = keyOf(canary.metadata);
      if (unready.length > 0) known.set(key, Object.fromEntries(unready));
      else known.delete(key);
      return until(canary);
    },
    forget: (key) => void known.delete(key),
  };
}

/** What is waited for: the canary's pods in a run since its last progress, the primary's with the revision they shall have. */
function whatIs({ status }: Canary, part: Part): string | undefined {
  if (part === "primary") return primaryRevision(status) ?? "";
  return judged.has(status.phase) ? `${status.trackedRevision} ${progressedMs(status)}` : undefined;
}
