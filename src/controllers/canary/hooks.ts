import { request } from "undici";
import type { CanaryWebhook } from "../../api/analysis.ts";
import type { Canary } from "../../api/canary.ts";
import type { Gate } from "../../canary/decide.ts";
import { backoffMs } from "../../lib/backoff.ts";
import type { Clock } from "../../lib/clock.ts";
import { parseDurationMs } from "../../lib/duration.ts";
import { messageOf } from "../../lib/errors.ts";
import { hashJson } from "../../lib/json.ts";

/** What a hook is asked about. */
export interface Question {
  readonly canary: Canary;
  readonly type: CanaryWebhook["type"];
  /** Revision that the answer is about, and the checksums of its configs. */
  readonly revision: string | undefined;
  readonly configs: Readonly<Record<string, string>>;
}

const retryLimits = { baseMs: 500, maxMs: 5_000 };

/**
 * What all hooks of one type say together: a confirm gate is open when all agree, the rollback gate when any does.
 * `undefined`: there is none. An error is a closed gate with a message, never a verdict about the release.
 */
export async function ask(question: Question, clock: Clock, signal: AbortSignal): Promise<Gate | undefined> {
  const hooks = (question.canary.spec.analysis.webhooks ?? []).filter(({ type }) => type === question.type);
  if (hooks.length === 0) return undefined;
  const answers = await Promise.all(hooks.map((hook) => call(hook, question, clock, signal)));
  const decisive = answers.find(({ open }) => open === (question.type === "rollback"));
  return decisive ?? answers[0];
}

async function call(hook: CanaryWebhook, question: Question, clock: Clock, signal: AbortSignal): Promise<Gate> {
  const body = JSON.stringify(payload(hook, question));
  let answer = await post(hook, body, signal);
  for (let failures = 1; failures <= hook.retries && answer.again; failures += 1) {
    await clock.sleep(backoffMs(failures, retryLimits), signal);
    answer = await post(hook, body, signal);
  }
  return answer;
}

/** Exactly Flagger's fields, so that its load tester and everybody's own gates understand it. */
function payload({ metadata }: CanaryWebhook, { canary, type, revision, configs }: Question): Record<string, unknown> {
  const phase = type === "confirm-promotion" ? "Progressing" : (canary.status.phase ?? "Initializing");
  return {
    name: canary.metadata.name,
    namespace: canary.metadata.namespace,
    phase,
    checksum: hashJson([revision, configs]).slice(0, 16),
    metadata: metadata ?? {},
  };
}

interface Answer extends Gate {
  /** The call was not made, or the server could not answer it. */
  readonly again: boolean;
}

async function post({ name, type, url, timeout }: CanaryWebhook, body: string, signal: AbortSignal): Promise<Answer> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(parseDurationMs(timeout))]);
  try {
    const reply = await request(url, { method: "POST", headers: { "content-type": "application/json" }, body, signal: limit });
    // What the hook says beside its status is not read, but a connection is only free when it was.
    await reply.body.dump({ limit: 65_536, signal: limit });
    const { statusCode } = reply;
    const open = statusCode >= 200 && statusCode < 300;
    return { open, again: statusCode >= 500, message: `${type} hook ${name} ${open ? "agrees" : `answers ${statusCode}`}` };
  } catch (error) {
    if (signal.aborted) throw error;
    const why = limit.aborted ? `no answer within ${timeout}` : messageOf(error);
    return { open: false, again: true, message: `${type} hook ${name} cannot be asked: ${why}` };
  }
}
