import type { KindRef, KubeObject } from "../api/object.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { linkedAbort } from "./abort.ts";
import { KubeError, type KubeWatch, type WatchEvent } from "./kube.ts";
import { listPages, pageSize } from "./reads.ts";

/** Where a reflector puts what it sees. */
interface Sink {
  put(object: KubeObject): void;
  remove(object: KubeObject): void;
  replace(objects: readonly KubeObject[]): void;
  /** The first list is complete, or the kind does not exist. May be called again. */
  synced(): void;
}

/** What a reflector follows, and with what. */
interface ReflectorOptions {
  readonly watch: KubeWatch;
  readonly kind: KindRef;
  /** Missing: all namespaces. */
  readonly namespace: string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** A number in [0, 1). */
  readonly random?: () => number;
}

const failureBackoff = { baseMs: 500, maxMs: 30_000 };
/** The server ends a watch after its timeoutSeconds; one that lives longer than this beyond is dead, however open it looks. */
const silenceMarginMs = 30_000;
/** A watch shorter than this was no success: reconnecting at once would be a busy loop. */
const shortWatchMs = 1_000;
/** A watch longer than this makes earlier failures history. */
const goodWatchMs = 60_000;

/** Where the reflector is. */
interface Position {
  /** Resume from here; missing: list anew. */
  resourceVersion: string | undefined;
  /** In a row. */
  failures: number;
  /** How often in a row the server said that it does not know the kind. */
  unknown: number;
  listed: boolean;
}

/** Keeps the sink equal to the API server's objects until the signal aborts. Never rejects. */
export async function runReflector(options: ReflectorOptions, sink: Sink, signal: AbortSignal): Promise<void> {
  const position: Position = { resourceVersion: undefined, failures: 0, unknown: 0, listed: false };
  while (!signal.aborted) {
    try {
      position.resourceVersion ??= await relist(options, sink, signal);
      Object.assign(position, { unknown: 0, listed: true });
      await follow(options, sink, { position, signal });
    } catch (error) {
      if (signal.aborted) return;
      afterFailure(options, sink, { position, error });
    }
    const pauseMs = backoffMs(position.failures, failureBackoff, options.random?.());
    if (pauseMs > 0) await options.clock.sleep(pauseMs, signal).catch(() => {});
  }
}

async function relist({ watch, kind, namespace }: ReflectorOptions, sink: Sink, signal: AbortSignal): Promise<string> {
  const { items, resourceVersion } = await listPages(watch, kind, { namespace, limit: pageSize }, signal);
  sink.replace(items.map(slim));
  sink.synced();
  return resourceVersion;
}

/** One watch, to its end. */
async function follow(
  options: ReflectorOptions,
  sink: Sink,
  { position, signal }: { position: Position; signal: AbortSignal },
): Promise<void> {
  const { watch, kind, namespace, clock, random = Math.random } = options;
  // Spread, so that the watches of a restarted fleet do not all end together for ever.
  const timeoutSeconds = 300 + Math.floor(random() * 301);
  const linked = linkedAbort(signal);
  const startedMs = clock.elapsedMs();
  const silence = clock.sleep(timeoutSeconds * 1_000 + silenceMarginMs, linked.signal);
  silence.then(() => linked.abort(new Error("the watch outlived its timeout without a word")), () => {});
  let events = 0;
  try {
    const { resourceVersion = "" } = position;
    for await (const event of watch.watch(kind, { namespace, resourceVersion, timeoutSeconds }, linked.signal)) {
      position.resourceVersion = accept(event, sink) ?? position.resourceVersion;
      events += 1;
      position.failures = 0;
    }
  } finally {
    linked.abort(new Error("the watch has ended"));
    linked.release();
    // However it ends, it worked until now.
    if (clock.elapsedMs() - startedMs > goodWatchMs) position.failures = 0;
  }
  const wasShort = events === 0 && clock.elapsedMs() - startedMs < shortWatchMs;
  position.failures = wasShort ? position.failures + 1 : 0;
}

/** Takes one event in. Returns the version to resume from. Throws KubeError for an ERROR event. */
function accept(event: WatchEvent, sink: Sink): string | undefined {
  switch (event.type) {
    case "ADDED":
    case "MODIFIED":
      sink.put(slim(event.object));
      break;
    case "DELETED":
      sink.remove(event.object);
      break;
    case "BOOKMARK":
      break;
    case "ERROR":
      throw new KubeError(
        event.status.code ?? 0,
        event.status.reason ?? "WatchError",
        event.status.message ?? "the watch ended with an error",
      );
    default:
      return event satisfies never;
  }
  return event.object.metadata.resourceVersion;
}

function afterFailure(
  { kind, namespace, log }: ReflectorOptions,
  sink: Sink,
  { position, error }: { position: Position; error: unknown },
): void {
  const code = error instanceof KubeError ? error.code : 0;
  position.failures += 1;
  if (code === 404) return kindIsUnknown(sink, position);
  const fields = { kind: kind.kind, apiVersion: kind.apiVersion, namespace, error: messageOf(error) };
  if (code === 410) {
    // The server has forgotten the past that we know.
    position.resourceVersion = undefined;
    return log.debug(fields, "watch expired, listing anew");
  }
  if (position.failures > 1 || !position.listed) log.warn(fields, "watch failed, trying again");
  else log.debug(fields, "watch failed, resuming");
}

/** The kind does not exist: no objects. Asked for again with backoff, as its CRD may come. */
function kindIsUnknown(sink: Sink, position: Position): void {
  position.resourceVersion = undefined;
  position.unknown += 1;
  // A server that is just starting may forget a kind for a moment: objects once seen are given up on the second word only.
  if (position.listed && position.unknown < 2) return;
  sink.replace([]);
  sink.synced();
}

/** Our own managers, and those of people: what they wrote by hand is drift. */
const keptManagers = /^(?:serin|kubectl|before-first-apply)/;

/** The object without the managedFields of other controllers, which are most of its bytes. */
function slim(object: KubeObject): KubeObject {
  const { managedFields, ...metadata } = object.metadata;
  if (managedFields === undefined) return object;
  const own = managedFields.filter(({ manager }) => manager !== undefined && keptManagers.test(manager));
  return { ...object, metadata: own.length > 0 ? { ...metadata, managedFields: own } : metadata };
}
