import { createHash } from "node:crypto";
import { keyOf, type KubeObject, type ObjectRef } from "../api/object.ts";
import { isoSeconds } from "../api/conditions.ts";
import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { type Events, type Kube, KubeError } from "./kube.ts";
import { createQueue, type WorkQueue } from "./queue.ts";

/** What recording events needs. */
interface EventsOptions {
  readonly kube: Kube;
  /** Who says it, as `kubectl describe` shows. */
  readonly component: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the recording; `flush` before it if what waits shall be written. */
  readonly signal: AbortSignal;
}

/** Events that are written in the background. */
export interface EventRecorder extends Events {
  /** Writes what waits, without regard to the pace. Resolves when done or after ten seconds. Never rejects. */
  flush(): Promise<void>;
}

/** The same said again within this time is counted, later it is a new event. */
const sameWithinMs = 10 * 60_000;
const sweepMs = 10_000;
const paceMs = 30_000;
const maxWaiting = 1_000;
const maxMessage = 1_024;
const flushMs = 10_000;

type Type = "Normal" | "Warning";

/** One thing said of one object, however often. */
interface Series {
  readonly event: KubeObject;
  count: number;
  /** What the clock showed when it was last said. */
  lastAtMs: number;
  /** The same by the clock that nobody sets, as all delays are. */
  lastMs: number;
  /** What the API server has; 0 before it was created. */
  writtenCount: number;
  writtenMs: number;
  /** Ends with the write that is under way, if one is: two at once would both create it. */
  writing: Promise<void> | undefined;
}

interface Recorder extends EventsOptions {
  readonly series: Map<string, Series>;
  /** Keys with something to write, oldest first. */
  readonly waiting: Set<string>;
  /** When to write them. */
  readonly queue: WorkQueue;
  sweptMs: number;
}

/** Records events without ever blocking or failing the caller: a full queue drops the oldest, a refused write is logged. */
export function createEvents(options: EventsOptions): EventRecorder {
  const recorder: Recorder = { ...options, series: new Map(), waiting: new Set(), queue: createQueue(options.clock), sweptMs: 0 };
  void writeAll(recorder);
  return {
    normal: (object, reason, message) => note(recorder, "Normal", { object, reason, message }),
    warning: (object, reason, message) => note(recorder, "Warning", { object, reason, message }),
    flush: () => flush(recorder),
  };
}

function note(recorder: Recorder, type: Type, { object, reason, message }: { object: KubeObject; reason: string; message: string }): void {
  const [nowMs, elapsedMs] = [recorder.clock.nowMs(), recorder.clock.elapsedMs()];
  const text = message.slice(0, maxMessage);
  const key = JSON.stringify([object.apiVersion, object.kind, keyOf(object.metadata), object.metadata.uid, type, reason, text]);
  forgetOld(recorder, elapsedMs);
  const known = recorder.series.get(key);
  const series = known ?? {
    event: eventOf(recorder, object, { key, type, reason, message: text }),
    count: 0,
    lastAtMs: nowMs,
    lastMs: elapsedMs,
    writtenCount: 0,
    writtenMs: 0,
    writing: undefined,
  };
  series.count += 1;
  Object.assign(series, { lastAtMs: nowMs, lastMs: elapsedMs });
  recorder.series.set(key, series);
  recorder.waiting.add(key);
  recorder.queue.addAfter(key, msUntilDue(series, elapsedMs));
  if (recorder.waiting.size <= maxWaiting) return;
  const [oldest = key] = recorder.waiting;
  recorder.waiting.delete(oldest);
  recorder.log.warn({ dropped: 1 }, "too many events wait to be written, dropping the oldest");
}

/** Now and then: a storm of events shall not look at all the others for each. */
function forgetOld(recorder: Recorder, elapsedMs: number): void {
  const { series, waiting } = recorder;
  if (elapsedMs - recorder.sweptMs < sweepMs) return;
  recorder.sweptMs = elapsedMs;
  for (const [key, { lastMs }] of series) if (elapsedMs - lastMs > sameWithinMs && !waiting.has(key)) series.delete(key);
}

function eventOf(
  { clock, component }: Recorder,
  { apiVersion, kind, metadata }: KubeObject,
  { key, type, reason, message }: { key: string; type: Type; reason: string; message: string },
): KubeObject {
  const nowMs = clock.nowMs();
  const { name, uid, resourceVersion, namespace = "default" } = metadata;
  const suffix = createHash("sha256").update(`${key} ${nowMs}`).digest("hex").slice(0, 16);
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: `${name.slice(0, 236)}.${suffix}`, namespace },
    involvedObject: { apiVersion, kind, name, namespace: metadata.namespace, uid, resourceVersion },
    type,
    reason,
    message,
    source: { component },
    reportingComponent: component,
    reportingInstance: component,
    firstTimestamp: isoSeconds(nowMs),
    lastTimestamp: isoSeconds(nowMs),
    count: 1,
  };
}

/** New events at once, counts of known ones at their pace. */
function msUntilDue({ writtenCount, writtenMs }: Series, elapsedMs: number): number {
  return writtenCount === 0 ? 0 : Math.max(0, writtenMs + paceMs - elapsedMs);
}

async function writeAll(recorder: Recorder): Promise<void> {
  const { clock, signal, series, queue } = recorder;
  while (!signal.aborted) {
    const key = await queue.take(signal).catch(() => undefined);
    if (key === undefined) return;
    const known = series.get(key);
    const delayMs = known ? msUntilDue(known, clock.elapsedMs()) : 0;
    if (delayMs > 0) queue.addAfter(key, delayMs);
    else await write(recorder, key, signal);
    queue.done(key);
  }
}

async function flush(recorder: Recorder): Promise<void> {
  const { clock, waiting } = recorder;
  const timeout = new AbortController();
  const over = clock.sleep(flushMs, timeout.signal).catch(() => {});
  const all = (async () => {
    for (const key of waiting) await write(recorder, key, timeout.signal);
  })();
  await Promise.race([all, over]);
  timeout.abort();
}

async function write(recorder: Recorder, key: string, signal: AbortSignal): Promise<void> {
  const { series, waiting } = recorder;
  const known = series.get(key);
  if (!waiting.delete(key) || !known) return;
  known.writing = writeAfter(known.writing, recorder, { known, key, signal });
  await known.writing;
}

async function writeAfter(
  before: Promise<void> | undefined,
  { clock, kube, component, log }: Recorder,
  { known, key, signal }: { known: Series; key: string; signal: AbortSignal },
): Promise<void> {
  await before;
  const { count } = known;
  try {
    await send(kube, component, known, signal);
    Object.assign(known, { writtenCount: count, writtenMs: clock.elapsedMs() });
  } catch (error) {
    // An event is a courtesy: it is not tried again.
    log.debug({ object: key, error: messageOf(error) }, "an event could not be written");
  }
}

async function send(
  kube: Kube,
  fieldManager: string,
  { event, count, lastAtMs, writtenCount }: Series,
  signal: AbortSignal,
): Promise<void> {
  const now = { count, lastTimestamp: isoSeconds(lastAtMs) };
  const { name, namespace } = event.metadata;
  const ref: ObjectRef = { apiVersion: "v1", kind: "Event", namespace, name };
  try {
    if (writtenCount > 0) await kube.patch(ref, now, { fieldManager }, signal);
    else await kube.create({ ...event, ...now }, { fieldManager }, signal);
  } catch (error) {
    // The API server forgets events after an hour.
    if (writtenCount === 0 || !(error instanceof KubeError) || error.code !== 404) throw error;
    await kube.create({ ...event, ...now }, { fieldManager }, signal);
  }
}
