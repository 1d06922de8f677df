import { isoSeconds } from "../../api/conditions.ts";
import type { Arguments } from "./arguments.ts";
import type { Found, PastSamples, Span } from "./past-samples.ts";

/** Where the samples are from. */
export type Origin =
  | { readonly file: string }
  | { readonly server: string; readonly span: Span; readonly found: Found; readonly given: Arguments };

/** Why nothing can be said of these samples, with the way out; `undefined`: something can. */
export function silenceOf(samples: PastSamples, origin: Origin): string | undefined {
  if ("file" in origin) return silenceOfFile(samples, origin.file);
  const { given, found, server, span } = origin;
  const where = `at ${server} from ${isoSeconds(span.fromMs)} to ${isoSeconds(span.untilMs)}`;
  const empty = emptySide(samples);
  if (empty === "both") return `${nothing(given, found, where)}; correct --requests, or ask for another time or server`;
  if (empty !== undefined)
    return `of the counters ${given.requests} those with the labels ${given[empty]} had no request ${where}; correct --${empty}, or ask for another time`;
  if (given.latency === undefined || samples.boundsMs.length > 0) return undefined;
  const what = found.latency === 0 ? "matches no series" : `matches ${found.latency} series, but no buckets of a histogram in which requests were counted,`;
  return `--latency ${given.latency} ${what} ${where}; ${found.latency === 0 ? wayTo(given.latency) : "correct it"}, or leave it out`;
}

/** A histogram goes by a name that none of its series has. */
function wayTo(latency: string): string {
  const buckets = latency.replace(/^(\w+?)(?:_sum|_count|_bucket)?(?!\w)/, "$1_bucket");
  return buckets === latency ? "correct it" : `write ${buckets} where it has buckets`;
}

function silenceOfFile(samples: PastSamples, file: string): string | undefined {
  const empty = emptySide(samples);
  if (empty === "both") return `in ${file} there is no request: there was none at its time; save another one`;
  return empty && `in ${file} the ${empty} has no request: --${empty} was wrong when it was saved; save another one`;
}

function nothing({ requests, canary, stable }: Arguments, found: Found, where: string): string {
  if (found.requests === 0) return `${requests} matches no series ${where}`;
  const some = `${requests} matches ${found.requests} series ${where}`;
  if (found.withCode === 0) return `${some}, but none has the status code in a label such as code or status`;
  if (canary !== undefined) return `${some}, but none in which requests were counted has the labels ${canary} or ${stable}`;
  return `${some}, but no request was counted`;
}

/** The version that nobody asked for anything: its labels are wrong rather than its releases good. */
function emptySide({ split, scrapes }: PastSamples): "canary" | "stable" | "both" | undefined {
  const isEmpty = (side: "canary" | "stable"): boolean => scrapes.every(({ errors }) => errors[side].requests === 0);
  const empty = (["canary", "stable"] as const).filter(isEmpty);
  return empty.length === 2 ? "both" : split ? empty[0] : undefined;
}
