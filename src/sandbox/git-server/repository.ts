import type { GitDir } from "./git-dir.ts";

/** One event in a pull request's life, as its timeline shows it. */
export interface TimelineEntry {
  readonly id: number;
  readonly type: "comment" | "close" | "reopen" | "merge_pull" | "delete_branch";
  readonly login: string;
  readonly body: string;
  readonly at: Date;
}

/** What a reviewer said. */
export interface Review {
  readonly id: number;
  readonly login: string;
  readonly state: "APPROVED" | "REQUEST_CHANGES" | "COMMENT";
  readonly body: string;
  readonly commit: string;
  readonly at: Date;
}

/** A pull request; lives in memory only. */
export interface Pull {
  readonly number: number;
  readonly head: string;
  readonly base: string;
  readonly poster: string;
  readonly createdAt: Date;
  readonly timeline: TimelineEntry[];
  readonly reviews: Review[];
  title: string;
  body: string;
  updatedAt: Date;
  closedAt: Date | undefined;
  /** Set once it is merged; `before` is where the base branch stood. */
  merged: { readonly login: string; readonly at: Date; readonly commit: string; readonly before: string } | undefined;
}

/** Where pushes are announced. */
export interface Hook {
  readonly id: number;
  readonly url: string;
  readonly secret: string;
}

/** A bare repository and what a Git host knows beyond it. */
export interface Repository {
  readonly id: number;
  readonly owner: string;
  readonly name: string;
  readonly isPrivate: boolean;
  readonly path: string;
  readonly git: GitDir;
  readonly createdAt: Date;
  readonly pulls: Pull[];
  readonly hooks: Hook[];
  readonly protectedBranches: Set<string>;
  archived: boolean;
  /** Branches as last announced. */
  branches: ReadonlyMap<string, string>;
  /** Runs one change after the other. */
  readonly inTurn: <T>(change: () => Promise<T>) => Promise<T>;
}

/** The host does not do what it was asked: an HTTP status and Gitea's words. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The branch every new repository starts with. */
export const defaultBranch = "main";

/** `owner/name`. */
export function fullName({ owner, name }: Repository): string {
  return `${owner}/${name}`;
}

/** Whether the pull request waits for somebody. */
export function isOpen({ closedAt, merged }: Pull): boolean {
  return !closedAt && !merged;
}

/** The ref that keeps a pull request's commits after its branch is gone. */
export function pullRef({ number }: Pull): string {
  return `refs/pull/${number}/head`;
}

/** A queue of one: each change starts when the one before has ended, well or badly. */
export function takeTurns(): Repository["inTurn"] {
  let last: Promise<unknown> = Promise.resolve();
  return (change) => {
    const next = last.then(change, change);
    last = next.catch(() => {});
    return next;
  };
}
