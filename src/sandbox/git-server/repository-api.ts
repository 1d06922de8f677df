import { z } from "zod";
import { branchInfo, repositoryView } from "./api-views.ts";
import { branchCommit } from "./git-dir.ts";
import { type ApiReply, type Operation, parsed } from "./operation.ts";
import { deleteBranch } from "./pulls.ts";
import { Refused } from "./repository.ts";
import { saveProtection } from "./store.ts";

const noContent: ApiReply = { status: 204 };
const protectionBody = z.object({ rule_name: z.string().min(1) });
const hookBody = z.object({ config: z.object({ url: z.string().regex(/^https?:\/\//), secret: z.string().default("") }) });
const editRepositoryBody = z.object({ archived: z.boolean().optional() });

/** Operations on a repository by method and path below its own; `*` is one part of it. */
export const repositoryOperations: Readonly<Record<string, Operation>> = {
  "GET ": async ({ view, repository }) => ({ status: 200, json: repositoryView(view, repository) }),
  "PATCH ": async ({ view, repository, request }) => {
    const { archived = repository.archived } = await parsed(request, editRepositoryBody);
    repository.archived = archived;
    return { status: 200, json: repositoryView(view, repository) };
  },
  "GET compare/*": async ({ repository: { git }, parts }) => {
    const [base = "", head = ""] = (parts[0] ?? "").split("...");
    const [from, to] = [await branchCommit(git, base), await branchCommit(git, head)];
    if (!from || !to) throw new Refused(404, "not found");
    const { stdout } = await git(["rev-list", `${from}..${to}`]);
    const commits = stdout.split("\n").filter((line) => line !== "");
    return { status: 200, json: { total_commits: commits.length, commits: commits.map((sha) => ({ sha })) } };
  },
  "GET branches/*": async ({ repository, parts: [name = ""] }) => {
    const branch = await branchInfo(repository, name);
    if (!branch) throw new Refused(404, "not found");
    return { status: 200, json: branch };
  },
  "DELETE branches/*": async ({ repository, parts: [name = ""], doer, moved }) => {
    await deleteBranch(repository, name);
    await moved(repository, doer.login);
    return noContent;
  },
  "POST branch_protections": async ({ repository, request }) => {
    const { rule_name: rule } = await parsed(request, protectionBody);
    repository.protectedBranches.add(rule);
    await saveProtection(repository);
    return { status: 201, json: { rule_name: rule, branch_name: rule, enable_push: false } };
  },
  "DELETE branch_protections/*": async ({ repository, parts: [rule = ""] }) => {
    if (!repository.protectedBranches.delete(rule)) throw new Refused(404, "not found");
    await saveProtection(repository);
    return noContent;
  },
  "POST hooks": async ({ repository, request, store }) => {
    const { url, secret } = (await parsed(request, hookBody)).config;
    const hook = { id: store.nextId(), url, secret };
    repository.hooks.push(hook);
    return { status: 201, json: { id: hook.id, type: "gitea", active: true, config: { url }, events: ["push", "create", "delete"] } };
  },
};
