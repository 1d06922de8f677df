import { writeCommit } from "../../src/git/commit.ts";
import { merge } from "../../src/git/revert.ts";
import { readCommit } from "../../src/git/tree.ts";
import { approvedByPerson, type Review } from "../../src/githost/approval.ts";
import { type GitHost, GitHostError, type PullRequest } from "../../src/githost/git-host.ts";
import { fitting, hasMarker, markedComment } from "../../src/githost/host-text.ts";
import { isAncestor, type MemoryRemote } from "./memory-git.ts";

/** A pull request and where it goes. */
export interface HostedPull extends PullRequest {
  /** Branch names without refs/heads/. */
  readonly head: string;
  readonly base: string;
}

/** The pull requests of one repository, in memory, and the hands of those who decide on them. */
export interface MemoryHost {
  /** What controllers talk to. */
  readonly host: GitHost;
  /** All pull requests, oldest first. */
  pulls(): readonly HostedPull[];
  comments(number: number): string[];
  /** Merges as a person would. Returns the commit that the base is at then. Throws when there is a conflict or nothing to merge. */
  merge(number: number, style: "merge" | "squash" | "rebase", atMs?: number): string;
  close(number: number, login: string): void;
  review(number: number, login: string, says: Review["says"]): void;
}

interface Pull {
  readonly number: number;
  readonly head: string;
  readonly base: string;
  state: PullRequest["state"];
  closedBy: string | undefined;
  headCommit: string;
  title: string;
  body: string;
  mergeCommit: string | undefined;
  readonly reviews: Review[];
  readonly comments: string[];
}

const person = { name: "Ada", email: "ada@example.test" };

function isBot(login: string): boolean {
  return login.endsWith("bot");
}

/** The host of a repository. A pull request whose branch goes is closed by a person, as GitHub and Gitea do it. */
export function memoryHost(source: MemoryRemote): MemoryHost {
  const pulls: Pull[] = [];
  const at = (number: number): Pull => {
    const pull = pulls[number - 1];
    if (!pull) throw new GitHostError("Unknown", `there is no pull request ${number}`);
    return pull;
  };
  source.onMoved(({ ref, after }) => {
    for (const pull of pulls.filter(({ state, head }) => state === "open" && `refs/heads/${head}` === ref)) {
      if (after === undefined) Object.assign(pull, { state: "closed", closedBy: person.name });
      else pull.headCommit = after;
    }
  });
  return {
    host: hostOf(source, pulls, at),
    pulls: () => pulls.map((pull) => ({ ...described(pull), head: pull.head, base: pull.base })),
    comments: (number) => [...at(number).comments],
    merge: (number, style, atMs = 0) => {
      const pull = at(number);
      if (pull.state !== "open") throw new Error(`pull request ${number} is ${pull.state}`);
      const commit = mergeCommit(source, pull, style, atMs);
      Object.assign(pull, { state: "merged", mergeCommit: commit });
      source.move(`refs/heads/${pull.base}`, commit);
      return commit;
    },
    close: (number, login) => void Object.assign(at(number), { state: "closed", closedBy: login }),
    review: (number, login, says) => void at(number).reviews.push({ login, bot: isBot(login), says }),
  };
}

function hostOf(source: MemoryRemote, pulls: Pull[], at: (number: number) => Pull): GitHost {
  return {
    findPullRequest: async (head) => {
      const found = pulls.findLast((pull) => pull.head === head);
      return found && described(found);
    },
    createPullRequest: async (wanted) => {
      const { head, base, title, body } = fitting(wanted);
      const open = pulls.find((pull) => pull.state === "open" && pull.head === head && pull.base === base);
      if (open) return described(open);
      const [headCommit, baseCommit] = [source.refs.get(`refs/heads/${head}`), source.refs.get(`refs/heads/${base}`)];
      if (headCommit === undefined || baseCommit === undefined) throw new GitHostError("Unknown", `there is no branch ${head} or ${base}`);
      if (isAncestor(source.store, { older: headCommit, newer: baseCommit }))
        throw new GitHostError("NoDifference", `no commits between ${base} and ${head}`);
      const lists = { reviews: [], comments: [] };
      const fresh = { number: pulls.length + 1, state: "open" as const, closedBy: undefined, mergeCommit: undefined };
      const pull: Pull = { ...fresh, head, base, headCommit, title, body, ...lists };
      pulls.push(pull);
      return described(pull);
    },
    updatePullRequest: async (number, change) => {
      const pull = at(number);
      const { title = pull.title, body = pull.body, state = pull.state } = fitting(change);
      if (pull.state === "merged" && state !== "merged") throw new GitHostError("Unknown", `pull request ${number} was merged already`);
      if (pull.state !== state) pull.closedBy = state === "closed" ? "serin" : undefined;
      Object.assign(pull, { title, body, state });
    },
    comment: async (number, comment) => {
      const { comments } = at(number);
      if (!comments.some((text) => hasMarker(text, comment.marker))) comments.push(markedComment(comment));
    },
  };
}

function described({ number, state, headCommit, title, body, closedBy, mergeCommit: merged, reviews }: Pull): PullRequest {
  return {
    number,
    url: `https://git.example/acme/apps/pulls/${number}`,
    state,
    closedBy: closedBy === undefined ? undefined : { login: closedBy, bot: isBot(closedBy) },
    headCommit,
    title,
    body,
    approved: approvedByPerson(reviews),
    mergeCommit: merged,
  };
}

function mergeCommit({ store, refs }: MemoryRemote, pull: Pull, style: "merge" | "squash" | "rebase", atMs: number): string {
  const ours = refs.get(`refs/heads/${pull.base}`) ?? "";
  const theirs = pull.headCommit;
  // Branches of ours are one commit on top of the base: its parent is where they part.
  const [base = ""] = readCommit(store, theirs).parents;
  const merged = merge(store, { base, ours, theirs });
  if (merged.outcome !== "clean") throw new Error(`pull request ${pull.number} cannot be merged: ${merged.outcome}`);
  const { tree } = merged;
  const time = new Date(atMs).toISOString();
  const squashed = { tree, parents: [ours], author: person, time };
  switch (style) {
    case "merge": {
      const message = `Merge pull request '${pull.title}' (#${pull.number}) from ${pull.head} into ${pull.base}`;
      return writeCommit(store, { ...squashed, parents: [ours, theirs], message });
    }
    case "squash":
      return writeCommit(store, { ...squashed, message: `${pull.title} (#${pull.number})` });
    case "rebase": {
      const { message, author } = readCommit(store, theirs);
      return base === ours ? theirs : writeCommit(store, { ...squashed, author, message });
    }
    default:
      return style satisfies never;
  }
}
