import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { beforeAll, describe, expect, test } from "vitest";
import { type Contract, openContract } from "../../test/contract/contract.ts";
import { startContractServer, type UpstreamReply, type UpstreamRequest } from "../../test/contract/contract-server.ts";
import { githubHost } from "./github.ts";
import { type HostLab, testGitHost } from "../../test/conformance/git-host.ts";

/** GitHub's own description, and the example replies in it: ours are made from them. */
let contract: Contract;
let examples: Record<string, { value: unknown }>;
beforeAll(() => {
  const file = createRequire(import.meta.url).resolve("@octokit/openapi/generated/api.github.com.json");
  const description = JSON.parse(readFileSync(file, "utf8"));
  examples = description.components.examples;
  contract = openContract(description, "#/components/schemas/basic-error");
});

type Fields = Record<string, unknown>;
const example = (name: string) => structuredClone(examples[name]!.value) as Fields & { head: Fields; base: Fields; user: Fields };
const first = (name: string) => structuredClone((examples[name]!.value as Fields[])[0]!);

interface Pull {
  readonly number: number;
  readonly head: string;
  readonly base: string;
  /** Id of the repository the head is in. */
  readonly from: number;
  sha: string;
  title: string;
  body: string;
  state: "open" | "closed";
  mergedAt: string | null;
  mergeCommit: string | null;
  closedBy: string | null;
  readonly reviews: { login: string; state: string }[];
  readonly comments: string[];
}

const ownId = 1296269;
const newCommit = () => createHash("sha1").update(randomBytes(20)).digest("hex");
const account = (login: string) => ({ ...example("pull-request").user, login, type: login.endsWith("[bot]") ? "Bot" : "User" });

/** GitHub's pull requests in memory: what it answers is checked, what it does is GitHub's documented behaviour. */
function github() {
  const start = newCommit();
  const branches = new Map([["main", start]]);
  const pulls: Pull[] = [];
  const state = { archived: false, installationTokens: 0 };

  const branch = (label: Fields, ref: string, { sha, from }: { sha: string; from: number }) => {
    const repo = { ...(label["repo"] as Fields), id: from, full_name: "team/app", archived: state.archived };
    return { ...label, label: `team:${ref}`, ref, sha, repo };
  };
  const view = (pull: Pull, name: "pull-request" | "pull-request-simple") => {
    const full = name === "pull-request" ? example(name) : (first("pull-request-simple-items") as ReturnType<typeof example>);
    return {
      ...full,
      number: pull.number,
      title: pull.title,
      body: pull.body,
      state: pull.state,
      html_url: `https://github.com/team/app/pull/${pull.number}`,
      merged_at: pull.mergedAt,
      // GitHub gives the commit of a test merge here as long as it is open.
      merge_commit_sha: pull.mergeCommit ?? start,
      ...(name === "pull-request" ? { merged: pull.mergedAt !== null } : {}),
      requested_teams: [],
      head: branch(full.head, pull.head, { sha: pull.sha, from: pull.from }),
      base: branch(full.base, pull.base, { sha: branches.get(pull.base) ?? start, from: ownId }),
    };
  };
  const invalid = (...errors: Fields[]): UpstreamReply => ({
    status: 422,
    json: { message: "Validation Failed", documentation_url: "https://docs.github.com/rest", errors },
  });
  const custom = (message: string) => invalid({ resource: "PullRequest", code: "custom", message });

  const list = (query: URLSearchParams): UpstreamReply => {
    const wanted = query.get("head")?.replace(/^team:/, "");
    const inState = pulls.filter((pull) => query.get("state") === "all" || pull.state === (query.get("state") ?? "open"));
    const fitting = inState.filter((pull) => (!wanted || pull.head === wanted) && (!query.get("base") || pull.base === query.get("base")));
    return { status: 200, json: fitting.reverse().map((pull) => view(pull, "pull-request-simple")) };
  };
  const tooLong = ({ title = "", body = "" }: Record<string, string>) => title.length > 256 || body.length > 65_536;
  const create = ({ head, base, title, body }: Record<string, string>): UpstreamReply => {
    const sha = branches.get(head!);
    if (!sha) return invalid({ resource: "PullRequest", field: "head", code: "invalid" });
    if (sha === branches.get(base!)) return custom(`No commits between ${base} and ${head}`);
    if (pulls.some((pull) => pull.head === head && pull.base === base && pull.state === "open" && pull.from === ownId)) {
      return custom(`A pull request already exists for team:${head}.`);
    }
    const unmerged = { mergedAt: null, mergeCommit: null, closedBy: null, reviews: [], comments: [] };
    const said = { head: head!, base: base!, title: title!, body: body! };
    pulls.push({ number: pulls.length + 1, from: ownId, sha, state: "open", ...said, ...unmerged });
    return { status: 201, json: view(pulls.at(-1)!, "pull-request") };
  };
  const edit = (pull: Pull, change: Partial<Pull>): UpstreamReply => {
    Object.assign(pull, change, change.state === "closed" ? { closedBy: "serin" } : {});
    return { status: 200, json: view(pull, "pull-request") };
  };
  const paged = <T>(items: readonly T[], query: URLSearchParams) => {
    const size = Number(query.get("per_page") ?? 30);
    return items.slice((Number(query.get("page") ?? 1) - 1) * size).slice(0, size);
  };
  const operations: [RegExp, (asked: UpstreamRequest, pull: Pull) => UpstreamReply][] = [
    [/^GET \/pulls$/, ({ query }) => list(query)],
    [/^POST \/pulls$/, ({ body }) => create(body as Record<string, string>)],
    [/^PATCH \/pulls\/\d+$/, ({ body }, pull) => edit(pull, body as Partial<Pull>)],
    [/^GET \/pulls\/\d+\/reviews$/, ({ query }, pull) => {
      const made = first("pull-request-review-items");
      const reviews = pull.reviews.map(({ login, state: says }) => ({ ...made, user: account(login), state: says }));
      return { status: 200, json: paged(reviews, query) };
    }],
    [/^GET \/issues\/\d+$/, (_, pull) => {
      return { status: 200, json: { ...example("issue"), number: pull.number, closed_by: pull.closedBy && account(pull.closedBy) } };
    }],
    [/^GET \/issues\/\d+\/comments$/, ({ query }, { comments }) => {
      return { status: 200, json: paged(comments, query).map((body) => ({ ...example("issue-comment"), body })) };
    }],
    [/^POST \/issues\/\d+\/comments$/, ({ body }, { comments }) => {
      comments.push((body as { body: string }).body);
      return { status: 201, json: { ...example("issue-comment"), body: comments.at(-1) } };
    }],
  ];
  const basicError = (status: number, message: string): UpstreamReply => ({
    status,
    json: { message, documentation_url: "https://docs.github.com/rest", status: String(status) },
  });
  const refusal = ({ method, path, authorization = "" }: UpstreamRequest): UpstreamReply | undefined => {
    const token = authorization.replace(/^(token|bearer) /i, "");
    if (!["writer", "reader", `installation-${state.installationTokens}`].includes(token)) return basicError(401, "Bad credentials");
    if (!path.startsWith("/repos/team/app/")) return basicError(404, "Not Found");
    if (method === "GET") return undefined;
    if (token === "reader") return basicError(403, "Resource not accessible by personal access token");
    return state.archived ? basicError(403, "Repository was archived so is read-only.") : undefined;
  };
  const app = ({ authorization = "" }: UpstreamRequest): UpstreamReply => {
    if (!/^bearer [\w-]+\.[\w-]+\.[\w-]+$/i.test(authorization)) return basicError(401, "A JSON web token could not be decoded");
    state.installationTokens += 1;
    const expires = new Date(Date.now() + 3_600_000).toISOString();
    const token = `installation-${state.installationTokens}`;
    return { status: 201, json: { ...example("installation-token"), token, expires_at: expires } };
  };
  const answer = async (asked: UpstreamRequest): Promise<UpstreamReply> => {
    if (asked.path === "/app/installations/77/access_tokens") return app(asked);
    if (asked.path.startsWith("/app/installations/")) return basicError(404, "Not Found");
    const refused = refusal(asked);
    if (refused) return refused;
    const sent = (asked.body ?? {}) as Record<string, string>;
    if (tooLong(sent)) return custom("body is too long (maximum is 65536 characters)");
    const place = `${asked.method} ${asked.path.slice("/repos/team/app".length)}`;
    const number = Number(/\/(\d+)/.exec(place)?.[1]);
    const pull = pulls.find((candidate) => candidate.number === number);
    const operation = operations.find(([pattern]) => pattern.test(place));
    if (!operation || (number && !pull)) return basicError(404, "Not Found");
    return operation[1](asked, pull!);
  };
  return { branches, pulls, state, answer };
}

async function startLab(): Promise<HostLab & { hub: ReturnType<typeof github> }> {
  const hub = github();
  const server = await startContractServer(contract, hub.answer);
  const at = { apiURL: server.url, owner: "team", timeoutMs: 10_000 };
  const options = (token: string, repository = "app") => ({ ...at, repository, credentials: { token } });
  const names = { person: "ada", bot: "renovate[bot]" };
  const pull = (number: number) => hub.pulls.find((candidate) => candidate.number === number)!;
  return {
    hub,
    server,
    options: {
      writer: options("writer"),
      reader: options("reader"),
      stranger: options("wrong-token"),
      elsewhere: options("writer", "gone"),
    },
    push: async (branch, change = true) => {
      const commit = change ? newCommit() : hub.branches.get("main")!;
      hub.branches.set(branch, commit);
      for (const open of hub.pulls.filter((candidate) => candidate.head === branch && candidate.state === "open")) open.sha = commit;
      return commit;
    },
    deleteBranch: async (branch) => void hub.branches.delete(branch),
    merge: async (number) => {
      const mergeCommit = newCommit();
      hub.branches.set("main", mergeCommit);
      Object.assign(pull(number), { state: "closed", mergedAt: "2026-01-02T03:04:05Z", mergeCommit, closedBy: "ada" });
      return mergeCommit;
    },
    close: async (number, login) => void Object.assign(pull(number), { state: "closed", closedBy: names[login] }),
    review: async (number, login, says) => {
      const state = says === "approve" ? "APPROVED" : "CHANGES_REQUESTED";
      pull(number).reviews.push({ login: names[login], state }, { login: names[login], state: "COMMENTED" });
    },
    archive: async () => void (hub.state.archived = true),
    comments: async (number) => pull(number).comments,
    stop: () => server.close(),
  };
}

describe("github", () => {
  testGitHost(githubHost, startLab, { person: "ada", bot: "renovate[bot]" });
});

const signal = () => AbortSignal.timeout(20_000);
const wanted = { head: "serin/revert/x", base: "main", title: "Revert", body: "Why." };

async function withLab(run: (lab: Awaited<ReturnType<typeof startLab>>) => Promise<void>): Promise<void> {
  const lab = await startLab();
  try {
    await run(lab);
  } finally {
    await lab.stop();
  }
  expect(lab.server.violations).toEqual([]);
}

test("a pull request from a fork's branch of the same name is not ours", () =>
  withLab(async (lab) => {
    const { hub, options } = lab;
    await lab.push(wanted.head);
    await githubHost(options.writer).createPullRequest(wanted, signal());
    hub.pulls.push({ ...hub.pulls[0]!, number: 2, from: 99, title: "Evil" });
    expect(await githubHost(options.writer).findPullRequest(wanted.head, signal())).toMatchObject({ number: 1, title: "Revert" });
  }));

test("a comment on the second page is found", () =>
  withLab(async (lab) => {
    const { hub, options } = lab;
    await lab.push(wanted.head);
    const host = githubHost(options.writer);
    await host.createPullRequest(wanted, signal());
    hub.pulls[0]!.comments.push(...Array.from({ length: 120 }, (_, index) => `talk ${index}`));
    await host.comment(1, { marker: "m", body: "Ours." }, signal());
    await host.comment(1, { marker: "m", body: "Ours." }, signal());
    expect(hub.pulls[0]!.comments).toHaveLength(121);
  }));

const privateKey = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs1", format: "pem" }).toString();

test("an App's installation opens a pull request, with one token for all its calls", () =>
  withLab(async (lab) => {
    const { hub, options } = lab;
    await lab.push(wanted.head);
    const host = githubHost({ ...options.writer, credentials: { appId: "42", installationId: "77", privateKey } });
    expect(await host.createPullRequest(wanted, signal())).toMatchObject({ number: 1, state: "open" });
    expect(await host.findPullRequest(wanted.head, signal())).toMatchObject({ number: 1 });
    expect(hub.state.installationTokens).toBe(1);
  }));

test("an App that is not installed there is told so", () =>
  withLab(async ({ options }) => {
    const host = githubHost({ ...options.writer, credentials: { appId: "42", installationId: "78", privateKey } });
    await expect(host.findPullRequest(wanted.head, signal())).rejects.toMatchObject({ name: "GitHostError", reason: "Unauthorized" });
  }));

test("an App's broken key is refused at once, without being shown", () => {
  const broken = "-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----";
  const credentials = { appId: "42", installationId: "77", privateKey: broken };
  const options = { apiURL: "http://127.0.0.1:1", owner: "team", repository: "app", credentials, timeoutMs: 1_000 };
  expect(() => githubHost(options)).toThrow("spec.host.secretRef: githubAppPrivateKey is not an unencrypted private key in PEM form");
});
