import { z } from "zod";
import { repositoryView, userView } from "./api-views.ts";
import { type ApiOptions, type ApiReply, type ApiRequest, type Operation, parsed } from "./operation.ts";
import { pullOperations } from "./pull-api.ts";
import { Refused } from "./repository.ts";
import { repositoryOperations } from "./repository-api.ts";
import { requireWritable, visibleRepository } from "./store.ts";

const operations = { ...repositoryOperations, ...pullOperations };
const newRepositoryBody = z.object({ name: z.string(), private: z.boolean().default(false) });

/** Answers one request as Gitea would. Throws {@link Refused}. */
export async function answerApi(options: ApiOptions, request: ApiRequest): Promise<ApiReply> {
  const [collection, ...parts] = request.path.split("/").filter((part) => part !== "").map(decoded);
  if (collection === "user") return answerUser(options, request, parts.join("/"));
  if (collection !== "repos") throw new Refused(404, "not found");
  return answerRepository(options, request, parts);
}

async function answerRepository(options: ApiOptions, request: ApiRequest, [owner = "", name = "", ...rest]: string[]): Promise<ApiReply> {
  const repository = visibleRepository(options.store, [owner, name], request.caller !== undefined);
  const found = findOperation(request.method, rest);
  if (!found) throw new Refused(404, `the sandbox's Git server has no ${request.method} /repos/{owner}/{repo}/${rest.join("/")}`);
  if (request.method !== "GET") requireWritable(repository, request.caller, { evenArchived: takenWhenArchived(request.method, rest) });
  const doer = { store: options.store, login: request.caller?.login ?? "" };
  const context = { ...options, request, repository, parts: found.parts, doer };
  return request.method === "GET" ? found.operation(context) : repository.inTurn(() => found.operation(context));
}

/** Gitea lets an archived repository be unarchived, and the words and state of its pull requests be changed. */
function takenWhenArchived(method: string, [collection]: readonly string[]): boolean {
  return method === "PATCH" && (collection === undefined || collection === "pulls");
}

function findOperation(method: string, path: readonly string[]): { operation: Operation; parts: string[] } | undefined {
  for (const [route, operation] of Object.entries(operations)) {
    const [routeMethod, routePath = ""] = route.split(" ", 2);
    const pattern = routePath === "" ? [] : routePath.split("/");
    const fits = pattern.length === path.length && pattern.every((part, index) => part === "*" || part === path[index]);
    if (routeMethod === method && fits) return { operation, parts: path.filter((_, index) => pattern[index] === "*") };
  }
  return undefined;
}

async function answerUser({ store, view }: ApiOptions, request: ApiRequest, path: string): Promise<ApiReply> {
  if (!request.caller) throw new Refused(401, "token is required");
  if (request.method === "GET" && path === "") return { status: 200, json: userView(view, request.caller.login) };
  if (request.method !== "POST" || path !== "repos") throw new Refused(404, "not found");
  if (!request.caller.mayWrite) {
    throw new Refused(403, "token does not have at least one of required scope(s), required=[write:user], token scope=read:user");
  }
  const { name, private: isPrivate } = await parsed(request, newRepositoryBody);
  return { status: 201, json: repositoryView(view, await store.create(request.caller.login, name, { isPrivate })) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Refused(400, "the path holds a broken % sequence");
  }
}
