import type { IncomingMessage } from "node:http";
import { Counter, type Registry } from "prom-client";
import { messageOf } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Answer } from "./answer.ts";
import { bodyOf } from "./body.ts";
import { type HookClaim, hookClaim } from "./signature.ts";

/** What a GitRepository says about its webhook. */
export interface HookTarget {
  /** The webhook's secret. An empty one is known to everybody: nothing is accepted then. */
  readonly token: string;
  readonly suspended: boolean;
}

/** What the receiver needs from the rest of the program. */
export interface HookOptions {
  /** The webhook of one GitRepository; `undefined`: there is no such object, or it takes no webhooks. `busy`: ask again later. */
  find(namespace: string, name: string): Promise<HookTarget | "busy" | undefined>;
  /** Asks for a fetch now: annotates the GitRepository with `serin.dev/requestedAt`. Any replica may do that. */
  request(namespace: string, name: string, at: string): Promise<void>;
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly registry: Registry;
}

/** Answers one request to a path below `/hooks/`. Never rejects. */
export type HookReceiver = (request: IncomingMessage, path: string) => Promise<Answer>;

/** Flux takes as much. GitHub sends up to 25 MB, but a push event of that size says no more than a small one. */
const maxBodyBytes = 3 * 1024 * 1024;

/** Events after which the remote may have another commit or branch; all others are thanked for and forgotten. */
const triggers: Record<HookClaim["provider"], ReadonlySet<string>> = {
  gitea: new Set(["push", "create", "delete"]),
  github: new Set(["push", "create", "delete"]),
  gitlab: new Set(["Push Hook", "Tag Push Hook"]),
  generic: new Set(),
};

/** The receiver of pushes at `/hooks/<namespace>/<name>`: GitHub, GitLab, Gitea (Forgejo) and generic HMAC. */
export function hookReceiver(options: HookOptions): HookReceiver {
  const requests = new Counter({
    name: "serin_hooks_requests_total",
    help: "Webhook requests received, by sender and HTTP status of the answer.",
    labelNames: ["provider", "status"],
    registers: [options.registry],
  });
  return async (request, path) => {
    const claim = hookClaim(request.headers);
    const answer = await receive(options, { request, path, claim }).catch((error: unknown): Answer => {
      if (!request.complete) return { status: 400, text: "the body did not arrive whole" };
      options.log.error({ path, error: messageOf(error) }, "webhook could not be handled");
      return { status: 500, text: "the request could not be handled; see Serin's log" };
    });
    requests.inc({ provider: claim?.provider ?? "unknown", status: answer.status });
    return answer;
  };
}

interface Received {
  readonly request: IncomingMessage;
  readonly path: string;
  readonly claim: HookClaim | undefined;
}

async function receive(options: HookOptions, received: Received): Promise<Answer> {
  const addressed = addressOf(received);
  if ("status" in addressed) return addressed;
  const { namespace, name, claim } = addressed;
  const target = await options.find(namespace, name);
  if (target === "busy") return { status: 503, text: "too many webhooks at once; send it again", headers: { "retry-after": "1" } };
  if (!target) return { status: 404, text: "no GitRepository of this name takes webhooks (spec.webhook)" };
  const refusal = whyClosed(target) ?? (await whyRefused(received.request, claim, target.token));
  if (refusal) return refusal;
  if (!isTrigger(claim)) return { status: 200, text: "nothing to do for this event" };
  await options.request(namespace, name, new Date(options.nowMs()).toISOString());
  options.log.info({ gitRepository: `${namespace}/${name}`, provider: claim.provider, event: claim.event }, "webhook received");
  return { status: 200, text: "asked for a fetch" };
}

interface Address {
  readonly namespace: string;
  readonly name: string;
  readonly claim: HookClaim;
}

/** Whom it is for, or why it is refused. Anybody can send requests: one that claims no signature must cost no lookup. */
function addressOf({ request, path, claim }: Received): Address | Answer {
  const [, namespace, name] = /^\/hooks\/([a-z0-9.-]{1,253})\/([a-z0-9.-]{1,253})$/.exec(path) ?? [];
  if (!namespace || !name) return { status: 404, text: "write it like /hooks/<namespace>/<name of the GitRepository>" };
  if (request.method !== "POST") return { status: 405, text: "only POST", headers: { allow: "POST" } };
  if (!claim) return { status: 400, text: "no signature: X-Hub-Signature-256, X-Gitea-Signature, X-Gitlab-Token or X-Signature" };
  return { namespace, name, claim };
}

function whyClosed({ suspended, token }: HookTarget): Answer | undefined {
  if (suspended) return { status: 503, text: "the GitRepository is suspended" };
  return token === "" ? { status: 503, text: "the Secret of spec.webhook.secretRef has no token" } : undefined;
}

async function whyRefused(request: IncomingMessage, claim: HookClaim, token: string): Promise<Answer | undefined> {
  const body = await bodyOf(request, maxBodyBytes);
  if (!body) return { status: 413, text: `more than ${maxBodyBytes} bytes`, headers: { connection: "close" } };
  return claim.isSigned(body, token) ? undefined : { status: 400, text: "the signature does not fit the token" };
}

function isTrigger({ provider, event }: HookClaim): boolean {
  return provider === "generic" || (event !== undefined && triggers[provider].has(event));
}
