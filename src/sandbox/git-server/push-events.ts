import { createHmac, randomUUID } from "node:crypto";
import { request } from "undici";
import { messageOf } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { repositoryView, userView, type View } from "./api-views.ts";
import type { BranchMove } from "./pulls.ts";
import type { Hook, Repository } from "./repository.ts";

/** Tells every webhook of a repository what moved, as Gitea does. Never rejects: a hook that fails is logged and forgotten. */
type Announce = (repository: Repository, login: string, moves: readonly BranchMove[]) => Promise<void>;

const timeoutMs = 5_000;
const none = "0".repeat(40);

/** @param common a webhook that every repository has */
export function announcer(view: View, common: Omit<Hook, "id"> | undefined, log: Logger): Announce {
  return async (repository, login, moves) => {
    const hooks = [...repository.hooks, ...(common ? [common] : [])];
    const events = moves.flatMap((move) => eventsOf(view, { repository, login, move }));
    await Promise.all(hooks.map(async (hook) => {
      for (const event of events) {
        await deliver(hook, event).catch((error: unknown) => log.warn({ url: hook.url, error: messageOf(error) }, "webhook not delivered"));
      }
    }));
  };
}

interface HookEvent {
  readonly name: "push" | "create" | "delete";
  readonly payload: object;
}

function eventsOf(view: View, { repository, login, move }: { repository: Repository; login: string; move: BranchMove }): HookEvent[] {
  const { branch, before, after } = move;
  const sender = userView(view, login);
  const where = { repository: repositoryView(view, repository), sender };
  if (after === undefined) return [{ name: "delete", payload: { ref: branch, ref_type: "branch", pusher_type: "user", ...where } }];
  const moved = { ref: `refs/heads/${branch}`, before: before ?? none, after };
  const push: HookEvent = { name: "push", payload: { ...moved, pusher: sender, ...where } };
  if (before !== undefined) return [push];
  return [{ name: "create", payload: { ref: branch, ref_type: "branch", sha: after, ...where } }, push];
}

async function deliver({ url, secret }: Omit<Hook, "id">, { name, payload }: HookEvent): Promise<void> {
  const body = JSON.stringify(payload);
  const signature = secret === "" ? "" : createHmac("sha256", secret).update(body).digest("hex");
  const delivery = randomUUID();
  const reply = await request(url, {
    method: "POST",
    body,
    signal: AbortSignal.timeout(timeoutMs),
    headers: {
      "content-type": "application/json",
      "x-gitea-delivery": delivery,
      "x-gitea-event": name,
      "x-gitea-signature": signature,
      "x-github-delivery": delivery,
      "x-github-event": name,
      "x-hub-signature-256": `sha256=${signature}`,
    },
  });
  await reply.body.dump();
  if (reply.statusCode >= 300) throw new Error(`answered ${reply.statusCode}`);
}
