import type { IncomingMessage, ServerResponse } from "node:http";
import type { GitHttpHandler } from "./http-backend.ts";
import type { Repository } from "./repository.ts";
import type { Store } from "./store.ts";
import { type Caller, callerOf, type GitUser } from "./users.ts";

/** What Git's requests need. */
interface GitSite {
  readonly store: Store;
  readonly users: readonly GitUser[];
  readonly git: GitHttpHandler;
  /** Called in turn after every push. */
  readonly moved: (repository: Repository, login: string) => Promise<void>;
}

/** One request and where its answer goes. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
}

/** Lets those fetch and push who may. Gives `false`, with nothing written, when the request is not Git's. */
export async function serveGit(site: GitSite, exchange: Exchange): Promise<boolean> {
  const asked = askedFor(exchange.url);
  if (!asked) return false;
  const repository = site.store.find(asked.owner, asked.name);
  const caller = callerOf(site.users, exchange.request.headers.authorization);
  const refusal = caller === "unknown" ? notSignedIn : whyNot(repository, caller, asked.pushes);
  if (refusal || !repository) refuse(exchange, refusal ?? notFound);
  else await pass(site, exchange, { repository, service: asked.service, login: typeof caller === "object" ? caller.login : "" });
  return true;
}

function askedFor({ pathname, searchParams }: URL) {
  const match = /^\/([^/]+)\/([^/]+?)(?:\.git)?\/(info\/refs|git-upload-pack|git-receive-pack)$/.exec(pathname);
  if (!match) return undefined;
  const [, owner = "", name = "", service = ""] = match;
  return { owner, name, service, pushes: (searchParams.get("service") ?? service) === "git-receive-pack" };
}

interface Refusal {
  readonly status: number;
  readonly text: string;
}

const notSignedIn: Refusal = { status: 401, text: "invalid username, password or token" };
const notFound: Refusal = { status: 404, text: "Repository not found" };
const archived: Refusal = {
  status: 403,
  text: "This repo is archived. You can view files and clone it, but cannot push or open issues/pull-requests.",
};

/** Why Git may not do this, as Gitea says it: without an account a private repository looks like a missing one. */
function whyNot(repository: Repository | undefined, caller: Caller | undefined, pushes: boolean): Refusal | undefined {
  if (!caller) return repository && !repository.isPrivate && !pushes ? undefined : notSignedIn;
  if (!repository) return notFound;
  if (!pushes) return undefined;
  if (repository.archived) return archived;
  return caller.mayWrite ? undefined : { status: 403, text: "token does not have the scope write:repository" };
}

function refuse({ request, response }: Exchange, { status, text }: Refusal): void {
  request.resume();
  const challenge = status === 401 ? { "www-authenticate": 'Basic realm="Gitea"' } : {};
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...challenge }).end(`${text}\n`);
}

async function pass(
  { git, moved }: GitSite,
  { request, response, url }: Exchange,
  { repository, service, login }: { repository: Repository; service: string; login: string },
): Promise<void> {
  // Names are not case-sensitive and ".git" may be left out; the folder's name is neither.
  request.url = `/${repository.owner}/${repository.name}.git/${service}${url.search}`;
  await git(request, response);
  if (service === "git-receive-pack") await repository.inTurn(() => moved(repository, login));
}
