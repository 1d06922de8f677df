import { z } from "zod";
import { StalledError } from "../lib/errors.ts";
import { approvedByPerson, type Review } from "./approval.ts";
import { type GitHost, GitHostError, type GitHostOptions, type NewPullRequest, type PullRequest } from "./git-host.ts";
import { type GiteaClient, giteaClient } from "./gitea-client.ts";
import { hostFetch } from "./host-fetch.ts";
import { fitting, hasMarker, markedComment } from "./host-text.ts";
import { headerToken } from "./token.ts";

/** Gitea answers at most this many items a page, whatever it is asked for. */
const pageSize = 50;
/** Newest first, so one page is enough unless a repository gets very many pull requests; older ones count as never made. */
const maxPages = 40;
/** Written into a pull request of ours that lost a race and was closed at once. It counts as never made. */
const duplicateMark = "serin/duplicate";
/** Clocks of the pull request and of its timeline are set one after the other. */
const closeSlackMs = 60_000;

const user = z.object({ id: z.int(), login: z.string() });
const branch = z.object({ label: z.string(), ref: z.string(), sha: z.string(), repo_id: z.int() });
const pull = z.object({
  number: z.int(),
  html_url: z.string().regex(/^https?:\/\//),
  state: z.enum(["open", "closed"]),
  merged: z.boolean(),
  merge_commit_sha: z.string().nullish(),
  closed_at: z.iso.datetime({ offset: true }).nullish(),
  title: z.string(),
  body: z.string(),
  head: branch,
  base: branch,
});
const review = z.object({ user: user.nullish(), state: z.string(), dismissed: z.boolean() });
const comment = z.object({ body: z.string() });
const timelineEntry = z.object({ type: z.string(), user: user.nullish() });
const comparison = z.object({ total_commits: z.int() });

type Pull = z.infer<typeof pull>;

/** Gitea and Forgejo, by a token. Throws StalledError at once when the credentials are not a token. */
export function giteaHost(options: GitHostOptions): GitHost {
  if (!("token" in options.credentials)) {
    throw new StalledError("HostCredentialsInvalid", "spec.host.secretRef: Gitea has no apps; put an access token under the key `token`");
  }
  const client = giteaClient(options, headerToken(options.credentials.token), hostFetch(options.timeoutMs));
  return {
    findPullRequest: async (head, signal) => {
      const found = await findPull(client, { state: "all" }, (candidate) => isFrom(candidate, head), signal);
      return found && (await describe(client, found, signal));
    },
    createPullRequest: (wanted, signal) => create(client, wanted, signal),
    updatePullRequest: async (number, change, signal) => {
      const { title, body, state } = fitting(change);
      await client({ method: "PATCH", path: `/pulls/${number}`, body: { title, body, state } }, pull, signal);
    },
    comment: async (number, wanted, signal) => {
      const path = `/issues/${number}/comments`; // answers all of them at once: Gitea does not page here
      const comments = await client({ method: "GET", path }, z.array(comment), signal);
      if (comments.some(({ body }) => hasMarker(body, wanted.marker))) return;
      await client({ method: "POST", path, body: { body: markedComment(wanted) } }, comment, signal);
    },
  };
}

async function create(client: GiteaClient, wanted: NewPullRequest, signal: AbortSignal): Promise<PullRequest> {
  const { head, base, title, body } = fitting(wanted);
  const matches = (candidate: Pull) => isFrom(candidate, head) && candidate.base.ref === base;
  const open = () => findPull(client, { state: "open", base_branch: base }, matches, signal);
  const already = await open();
  if (already) return describe(client, already, signal);
  await refuseEmpty(client, wanted, signal);
  try {
    const made = await client({ method: "POST", path: "/pulls", body: { head, base, title, body } }, pull, signal);
    return await onlyOne(client, made, { matches, base }, signal);
  } catch (error) {
    // Someone, most likely ourselves before a crash or another replica, was faster: Gitea then answers 409.
    const raced = error instanceof GitHostError && error.reason === "Unknown" ? await open() : undefined;
    if (raced) return describe(client, raced, signal);
    throw error;
  }
}

/**
 * Gitea looks for an equal pull request and makes a new one in two steps, so two who ask at once (we before a crash and we after
 * it) get one each. The first of them stays; who made a later one takes it back.
 */
async function onlyOne(
  client: GiteaClient,
  made: Pull,
  { matches, base }: { matches: (candidate: Pull) => boolean; base: string },
  signal: AbortSignal,
): Promise<PullRequest> {
  let first = made;
  for await (const page of pages(client, { path: "/pulls", filter: { state: "open", base_branch: base } }, pull, signal)) {
    first = [first, ...page.filter(matches)].reduce((a, b) => (a.number <= b.number ? a : b));
  }
  if (first.number === made.number) return toPullRequest(made, { approved: false });
  const body = markedComment({ marker: duplicateMark, body: `The same as #${first.number}, opened at the same moment.` });
  await client({ method: "PATCH", path: `/pulls/${made.number}`, body: { body, state: "closed" } }, pull, signal);
  return describe(client, first, signal);
}

/** Gitea opens a pull request without a single commit; it could only confuse. */
async function refuseEmpty(client: GiteaClient, { head, base }: NewPullRequest, signal: AbortSignal): Promise<void> {
  const path = `/compare/${encodeURIComponent(`${base}...${head}`)}`;
  const query = { files: "false", verification: "false" };
  const compared = await client({ method: "GET", path, query }, comparison, signal);
  if (compared.total_commits === 0) throw new GitHostError("NoDifference", `no commits between ${base} and ${head}`);
}

/** Whether it comes from this branch of this repository: a branch of the same name in somebody's fork is another one. */
function isFrom({ head, base, body }: Pull, branchName: string): boolean {
  if (hasMarker(body, duplicateMark)) return false;
  // `ref` becomes refs/pull/N/head when the branch is deleted; `label` stays.
  return head.label === branchName && head.repo_id === base.repo_id;
}

async function findPull(
  client: GiteaClient,
  filter: Readonly<Record<string, string>>,
  matches: (candidate: Pull) => boolean,
  signal: AbortSignal,
): Promise<Pull | undefined> {
  for await (const page of pages(client, { path: "/pulls", filter }, pull, signal)) {
    const found = page.filter(matches).sort((a, b) => b.number - a.number)[0];
    if (found) return found;
  }
  return undefined;
}

async function* pages<T>(
  client: GiteaClient,
  { path, filter = {} }: { path: string; filter?: Readonly<Record<string, string>> },
  item: z.ZodType<T>,
  signal: AbortSignal,
): AsyncGenerator<T[]> {
  for (let page = 1; page <= maxPages; page += 1) {
    const query = { ...filter, page: String(page), limit: String(pageSize) };
    const items = (await client({ method: "GET", path, query }, z.array(item).nullable(), signal)) ?? [];
    if (items.length > 0) yield items;
    // A server may be set to smaller pages than we ask for, so only an empty one is surely the last.
    if (items.length === 0) return;
  }
}

async function describe(client: GiteaClient, found: Pull, signal: AbortSignal): Promise<PullRequest> {
  const closed = found.state === "closed" && !found.merged;
  const [approved, closedBy] = await Promise.all([isApproved(client, found, signal), closed ? closer(client, found, signal) : undefined]);
  return toPullRequest(found, { approved, closedBy });
}

async function isApproved(client: GiteaClient, { number }: Pull, signal: AbortSignal): Promise<boolean> {
  const reviews: Review[] = [];
  for await (const page of pages(client, { path: `/pulls/${number}/reviews` }, review, signal)) reviews.push(...page.map(toReview));
  return approvedByPerson(reviews);
}

const words = new Map<string, Review["says"]>([["APPROVED", "approve"], ["REQUEST_CHANGES", "refuse"]]);

function toReview({ user: reviewer, state, dismissed }: z.infer<typeof review>): Review {
  if (!reviewer || dismissed) return { login: "", bot: false, says: "none" };
  return { login: reviewer.login, bot: isBot(reviewer), says: words.get(state) ?? "none" };
}

/** Gitea does not say on the pull request who closed it; its timeline does. */
async function closer(client: GiteaClient, { number, closed_at: closedAt }: Pull, signal: AbortSignal): Promise<PullRequest["closedBy"]> {
  const filter: Record<string, string> = closedAt ? { since: new Date(Date.parse(closedAt) - closeSlackMs).toISOString() } : {};
  let last: z.infer<typeof user> | undefined;
  for await (const page of pages(client, { path: `/issues/${number}/timeline`, filter }, timelineEntry, signal)) {
    last = page.findLast(({ type }) => type === "close")?.user ?? last;
  }
  return last && { login: last.login, bot: isBot(last) };
}

/** Gitea marks no account as a bot: its own system users have negative ids, the rest is known by custom of name. */
function isBot({ id, login }: z.infer<typeof user>): boolean {
  return id < 0 || /(\[bot\]|[-_.]bot)$/i.test(login);
}

function toPullRequest(from: Pull, { approved, closedBy }: { approved: boolean; closedBy?: PullRequest["closedBy"] }): PullRequest {
  return {
    number: from.number,
    url: from.html_url,
    state: from.merged ? "merged" : from.state,
    closedBy,
    headCommit: from.head.sha,
    title: from.title,
    body: from.body,
    approved,
    mergeCommit: from.merged ? (from.merge_commit_sha ?? undefined) : undefined,
  };
}
