import { z } from "zod";
import { commentView, pullView, reviewView, timelineView } from "./api-views.ts";
import { mergeStyles } from "./merge.ts";
import { type Operation, paged, parsed } from "./operation.ts";
import { editPull, getPull, mergePull, note, openPull, review } from "./pulls.ts";
import { isOpen, type Pull, type Repository } from "./repository.ts";

const text = z.string().default("");
const createBody = z.object({ head: z.string().min(1), base: z.string().min(1), title: z.string().min(1), body: text });
const editBody = z.object({ title: text, body: z.string().optional(), state: z.string().optional() });
const mergeBody = z.object({
  do: z.enum(mergeStyles).optional(),
  Do: z.enum(mergeStyles).optional(),
  merge_title_field: z.string().optional(),
  merge_message_field: z.string().optional(),
  head_commit_id: z.string().optional(),
  delete_branch_after_merge: z.boolean().optional(),
});
const commentBody = z.object({ body: z.string().min(1) });
const reviewBody = z.object({ event: z.enum(["APPROVED", "REQUEST_CHANGES", "COMMENT"]), body: text });

/** Operations on pull requests by method and path below the repository's; `*` is one part of it. */
export const pullOperations: Readonly<Record<string, Operation>> = {
  "GET pulls": async ({ view, repository, request: { query } }) => {
    const state = query.get("state") ?? "open";
    const base = query.get("base_branch");
    const inState = repository.pulls.filter((pull) => state === "all" || (state === "open") === isOpen(pull));
    const page = paged(inState.filter((pull) => !base || pull.base === base).reverse(), query);
    return { status: 200, json: await Promise.all(page.map((pull) => pullView(view, repository, pull))) };
  },
  "POST pulls": async ({ view, repository, request, doer }) => {
    const pull = await openPull(repository, doer, await parsed(request, createBody));
    return { status: 201, json: await pullView(view, repository, pull) };
  },
  "GET pulls/*": async ({ view, repository, parts }) => {
    return { status: 200, json: await pullView(view, repository, pullAt(repository, parts)) };
  },
  "PATCH pulls/*": async ({ view, repository, request, parts, doer }) => {
    const pull = pullAt(repository, parts);
    const { title, body, state } = await parsed(request, editBody);
    editPull(pull, doer, { title, ...(body === undefined ? {} : { body }), ...(state === undefined ? {} : { state }) });
    return { status: 201, json: await pullView(view, repository, pull) }; // Gitea says 201 here
  },
  "POST pulls/*/merge": async ({ repository, request, parts, doer, moved }) => {
    const wanted = await parsed(request, mergeBody);
    await mergePull(repository, pullAt(repository, parts), doer, {
      style: wanted.do ?? wanted.Do ?? "merge",
      title: wanted.merge_title_field,
      message: wanted.merge_message_field,
      head: wanted.head_commit_id,
      deleteBranch: wanted.delete_branch_after_merge,
    });
    await moved(repository, doer.login);
    return { status: 200 };
  },
  "GET pulls/*/reviews": async ({ view, repository, parts, request }) => {
    const page = paged(pullAt(repository, parts).reviews, request.query);
    return { status: 200, json: page.map((made) => reviewView(view, made)) };
  },
  "POST pulls/*/reviews": async ({ view, repository, request, parts, doer }) => {
    const { event, body } = await parsed(request, reviewBody);
    return { status: 200, json: reviewView(view, await review(repository, pullAt(repository, parts), doer, { state: event, body })) };
  },
  "GET issues/*/comments": async ({ view, repository, parts }) => {
    const comments = pullAt(repository, parts).timeline.filter(({ type }) => type === "comment");
    return { status: 200, json: comments.map((made) => commentView(view, made)) };
  },
  "POST issues/*/comments": async ({ view, repository, request, parts, doer }) => {
    const { body } = await parsed(request, commentBody);
    return { status: 201, json: commentView(view, note(pullAt(repository, parts), doer, "comment", body)) };
  },
  "GET issues/*/timeline": async ({ view, repository, parts, request: { query } }) => {
    const since = Date.parse(query.get("since") ?? "") || 0;
    const entries = pullAt(repository, parts).timeline.filter(({ at }) => at.getTime() >= since);
    return { status: 200, json: paged(entries, query).map((entry) => timelineView(view, entry)) };
  },
};

function pullAt(repository: Repository, [number]: readonly string[]): Pull {
  return getPull(repository, Number(number));
}
