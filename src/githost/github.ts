import { Octokit } from "@octokit/rest";
import { z } from "zod";
import { approvedByPerson, type Review } from "./approval.ts";
import { type GitHost, GitHostError, type GitHostOptions, type NewPullRequest, type PullRequest } from "./git-host.ts";
import { type GitHubCall, githubCall, githubSettings } from "./github-client.ts";
import { fitting, hasMarker, markedComment } from "./host-text.ts";

const pageSize = 100;
/** A revert's pull request with more comments or reviews than this is no longer read to its end. */
const maxPages = 10;

const user = z.object({ login: z.string(), type: z.string() }).nullish();
const branch = z.object({ ref: z.string(), sha: z.string(), repo: z.object({ id: z.int() }).nullish() });
const pull = z.object({
  number: z.int(),
  html_url: z.string().regex(/^https?:\/\//),
  state: z.enum(["open", "closed"]),
  merged_at: z.string().nullish(),
  merge_commit_sha: z.string().nullish(),
  title: z.string(),
  body: z.string().nullish(),
  head: branch,
  base: branch,
});
const review = z.object({ user, state: z.string() });
const issue = z.object({ closed_by: user });
const comment = z.object({ body: z.string().nullish() });

type Pull = z.infer<typeof pull>;

/** What the methods below share: one repository, asked through one client. */
interface Repository {
  readonly octokit: Octokit;
  readonly call: GitHubCall;
  readonly at: { readonly owner: string; readonly repo: string };
}

/** GitHub and GitHub Enterprise Server, by a token or as an App's installation. */
export function githubHost(options: GitHostOptions): GitHost {
  const octokit = new Octokit(githubSettings(options));
  const repository = { octokit, call: githubCall(options.apiURL), at: { owner: options.owner, repo: options.repository } };
  const { call, at } = repository;
  return {
    findPullRequest: async (head, signal) => {
      const found = await findPull(repository, { head, state: "all" }, signal);
      return found && (await describe(repository, found, signal));
    },
    createPullRequest: (wanted, signal) => create(repository, wanted, signal),
    updatePullRequest: async (number, change, signal) => {
      const { title, body, state } = fitting(change);
      const changed = { ...at, pull_number: number, ...(title === undefined ? {} : { title }), ...(body === undefined ? {} : { body }) };
      await call((request) => octokit.rest.pulls.update({ ...changed, ...(state ? { state } : {}), request }), pull, signal);
    },
    comment: async (number, wanted, signal) => {
      for await (const page of commentPages(repository, number, signal)) {
        if (page.some(({ body }) => hasMarker(body ?? "", wanted.marker))) return;
      }
      const made = { ...at, issue_number: number, body: markedComment(wanted) };
      await call((request) => octokit.rest.issues.createComment({ ...made, request }), comment, signal);
    },
  };
}

async function create(repository: Repository, wanted: NewPullRequest, signal: AbortSignal): Promise<PullRequest> {
  const { octokit, call, at } = repository;
  const open = () => findPull(repository, { head: wanted.head, base: wanted.base, state: "open" }, signal);
  const already = await open();
  if (already) return describe(repository, already, signal);
  try {
    const { head, base, title, body } = fitting(wanted);
    const made = await call((request) => octokit.rest.pulls.create({ ...at, head, base, title, body, request }), pull, signal);
    return toPullRequest(made, { approved: false });
  } catch (error) {
    // Someone, most likely ourselves before a crash or another replica, was faster: GitHub then answers 422.
    const raced = error instanceof GitHostError && error.reason === "Unknown" ? await open() : undefined;
    if (raced) return describe(repository, raced, signal);
    throw error;
  }
}

async function findPull(
  { octokit, call, at }: Repository,
  { head, ...filter }: { head: string; base?: string; state: "open" | "all" },
  signal: AbortSignal,
): Promise<Pull | undefined> {
  const query = { ...at, ...filter, head: `${at.owner}:${head}`, sort: "created", direction: "desc", per_page: pageSize } as const;
  const found = await call((request) => octokit.rest.pulls.list({ ...query, request }), z.array(pull), signal);
  // A branch of the same name in a fork is another one, and a filter GitHub cannot read is ignored by it.
  const own = found.filter((candidate) => candidate.head.ref === head && candidate.head.repo?.id === candidate.base.repo?.id);
  return own.sort((a, b) => b.number - a.number)[0];
}

async function describe(repository: Repository, found: Pull, signal: AbortSignal): Promise<PullRequest> {
  const closed = found.state === "closed" && !found.merged_at;
  const approval = isApproved(repository, found, signal);
  const [approved, closedBy] = await Promise.all([approval, closed ? closer(repository, found, signal) : undefined]);
  return toPullRequest(found, { approved, closedBy });
}

async function isApproved({ octokit, call, at }: Repository, { number }: Pull, signal: AbortSignal): Promise<boolean> {
  const reviews: Review[] = [];
  const get: Page<z.infer<typeof review>> = (paging) =>
    call((request) => octokit.rest.pulls.listReviews({ ...at, pull_number: number, ...paging, request }), z.array(review), signal);
  for await (const page of pages(get)) reviews.push(...page.map(toReview));
  return approvedByPerson(reviews);
}

const words = new Map<string, Review["says"]>([["APPROVED", "approve"], ["CHANGES_REQUESTED", "refuse"]]);

function toReview({ user: reviewer, state }: z.infer<typeof review>): Review {
  if (!reviewer) return { login: "", bot: false, says: "none" };
  return { login: reviewer.login, bot: isBot(reviewer), says: words.get(state) ?? "none" };
}

/** Only the pull request seen as an issue says who closed it. */
async function closer({ octokit, call, at }: Repository, { number }: Pull, signal: AbortSignal): Promise<PullRequest["closedBy"]> {
  const { closed_by: by } = await call((request) => octokit.rest.issues.get({ ...at, issue_number: number, request }), issue, signal);
  return by ? { login: by.login, bot: isBot(by) } : undefined;
}

function isBot({ login, type }: { login: string; type: string }): boolean {
  return type === "Bot" || login.endsWith("[bot]");
}

function commentPages({ octokit, call, at }: Repository, number: number, signal: AbortSignal): AsyncGenerator<z.infer<typeof comment>[]> {
  return pages((paging) =>
    call((request) => octokit.rest.issues.listComments({ ...at, issue_number: number, ...paging, request }), z.array(comment), signal),
  );
}

type Page<T> = (paging: { page: number; per_page: number }) => Promise<T[]>;

async function* pages<T>(get: Page<T>): AsyncGenerator<T[]> {
  for (let page = 1; page <= maxPages; page += 1) {
    const items = await get({ page, per_page: pageSize });
    yield items;
    if (items.length < pageSize) return;
  }
}

function toPullRequest(from: Pull, { approved, closedBy }: { approved: boolean; closedBy?: PullRequest["closedBy"] }): PullRequest {
  const merged = typeof from.merged_at === "string";
  return {
    number: from.number,
    url: from.html_url,
    state: merged ? "merged" : from.state,
    closedBy,
    headCommit: from.head.sha,
    title: from.title,
    body: from.body ?? "",
    approved,
    mergeCommit: merged ? (from.merge_commit_sha ?? undefined) : undefined,
  };
}
