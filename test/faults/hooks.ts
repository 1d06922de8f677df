import { createHmac } from "node:crypto";
import { request } from "undici";
import { names } from "../../src/api/meta.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { seen } from "../e2e/sight.ts";
import type { Team } from "../e2e/team.ts";

/** Asks for the repository to be read now, as `kubectl annotate` does. */
export async function requestedAt(team: Team): Promise<void> {
  const at = new Date(systemClock.nowMs()).toISOString();
  await team.patches(seen.repository, "apps", { metadata: { annotations: { [names.requestedAt]: at } } });
}

/** Delivers a push event as Gitea does. Returns the answer's status. */
export async function deliver(url: string, team: Team, push: { secret: string; before: string; after: string }): Promise<number> {
  const body = JSON.stringify({ ref: "refs/heads/main", before: push.before, after: push.after, repository: { name: team.repository } });
  const { statusCode, body: answer } = await request(`${url}/hooks/${team.namespace}/apps`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-gitea-event": "push",
      "x-gitea-signature": createHmac("sha256", push.secret).update(body).digest("hex"),
    },
    body,
    signal: AbortSignal.timeout(10_000),
  });
  await answer.dump();
  return statusCode;
}
