import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { messageOf } from "../../lib/errors.ts";
import { type Logger, silentLogger } from "../../lib/log.ts";
import { answerApi } from "./api.ts";
import type { View } from "./api-views.ts";
import { type Exchange, serveGit } from "./git-requests.ts";
import { html, page } from "./html.ts";
import { type GitHttpHandler, gitHttpHandler, requireGit } from "./http-backend.ts";
import { announcer } from "./push-events.ts";
import { noticeMoves } from "./pulls.ts";
import { Refused, type Repository } from "./repository.ts";
import { jsonBody } from "./request-body.ts";
import { createStore, type Store } from "./store.ts";
import { type Caller, callerOf, type GitUser } from "./users.ts";
import { answerBrowser } from "./website.ts";

/** What a server is started with. */
export interface GitServerOptions {
  /** An empty folder for the bare repositories. Everything else lives in memory. */
  readonly dir: string;
  /** Missing or 0: any free one. */
  readonly port?: number | undefined;
  /** Every account may write everywhere with its token or password. The first one is who has the pages open. */
  readonly users: readonly [GitUser, ...GitUser[]];
  /** Told of every push to every repository, signed as Gitea signs. */
  readonly webhook?: { readonly url: string; readonly secret: string } | undefined;
  readonly log?: Logger | undefined;
}

/** A Git server with the part of Gitea's API that Serin calls, and pages to look at. On loopback only. */
export interface GitServer {
  /** Without a slash at the end; its API is at `${url}/api/v1`. */
  readonly url: string;
  /** An empty repository with the branch `main` to come. `dir` is the bare repository. */
  createRepository(owner: string, name: string, options?: { readonly private?: boolean }): Promise<{ cloneUrl: string; dir: string }>;
  /** Ends all connections; webhooks on their way are waited for. */
  close(): Promise<void>;
}

/** What every request needs. */
interface Site {
  readonly store: Store;
  readonly view: View;
  readonly users: readonly GitUser[];
  readonly website: string;
  readonly formKey: string;
  readonly git: GitHttpHandler;
  readonly log: Logger;
  readonly moved: (repository: Repository, login: string) => Promise<void>;
}

/** Starts a server. Throws a clear error where git is missing. */
export async function startGitServer({ dir, port = 0, users, webhook, log = silentLogger }: GitServerOptions): Promise<GitServer> {
  await requireGit();
  const store = createStore(dir);
  const server = createServer();
  const url = await listen(server, port);
  const logins = users.map(({ login }) => login);
  const userId = (login: string) => {
    // An owner needs no account: its number goes on after those that have one.
    if (!logins.includes(login)) logins.push(login);
    return logins.indexOf(login) + 1;
  };
  const view: View = { url, userId };
  const deliveries = new Set<Promise<void>>();
  const announce = announcer(view, webhook, log);
  const moved = async (repository: Repository, login: string) => {
    const delivery = announce(repository, login, await noticeMoves(repository, { store, login }));
    deliveries.add(delivery);
    void delivery.finally(() => deliveries.delete(delivery));
  };
  const git = gitHttpHandler({ dir });
  const site: Site = { store, view, users, website: users[0].login, formKey: randomBytes(16).toString("hex"), git, log, moved };
  server.on("request", (request, response) => void serve(site, request, response));
  return {
    url,
    createRepository: async (owner, name, options) => {
      const { path } = await store.create(owner, name, { isPrivate: options?.private ?? false });
      return { cloneUrl: `${url}/${owner}/${name}.git`, dir: path };
    },
    close: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
      await Promise.all(deliveries);
    },
  };
}

async function listen(server: Server, port: number): Promise<string> {
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject);
  server.listen(port, "127.0.0.1", listening.resolve);
  await listening.promise;
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the Git server has no port");
  return `http://127.0.0.1:${address.port}`;
}

async function serve(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", site.view.url);
  const isApi = url.pathname.startsWith("/api/v1/");
  try {
    const exchange = { request, response, url };
    if (isApi) await serveApi(site, exchange);
    else if (!(await serveGit(site, exchange))) await serveBrowser(site, exchange);
  } catch (error) {
    const status = error instanceof Refused ? error.status : 500;
    if (status === 500) site.log.error({ path: url.pathname, error: messageOf(error) }, "Git server request failed");
    if (response.headersSent) response.destroy();
    else if (isApi) send(response, status, { json: { message: messageOf(error), url: `${site.view.url}/api/swagger` } });
    else send(response, status, { page: page(String(status), html`<h1>${status}</h1><p>${messageOf(error)}</p>`) });
  }
}

function signedIn(site: Site, request: IncomingMessage): Caller | undefined {
  const caller = callerOf(site.users, request.headers.authorization);
  if (caller === "unknown") throw new Refused(401, "invalid username, password or token");
  return caller;
}

async function serveApi(site: Site, { request, response, url }: Exchange): Promise<void> {
  const reply = await answerApi(site, {
    method: request.method ?? "GET",
    path: url.pathname.slice("/api/v1".length),
    query: url.searchParams,
    caller: signedIn(site, request),
    body: () => jsonBody(request),
  });
  send(response, reply.status, { json: reply.json });
}

async function serveBrowser(site: Site, { request, response, url }: Exchange): Promise<void> {
  // Another web site that calls itself by our address (DNS rebinding) must not read the pages or press their buttons.
  const here = new URL(site.view.url);
  if (![here.host, `localhost:${here.port}`].includes(request.headers.host ?? "")) throw new Refused(421, `open ${site.view.url}`);
  const options = { store: site.store, url: site.view.url, login: site.website, formKey: site.formKey, moved: site.moved };
  const reply = await answerBrowser(options, request, url.pathname);
  if ("page" in reply) send(response, 200, reply);
  else response.writeHead(303, { location: reply.location }).end();
}

const safeHeaders = {
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
};

function send(response: ServerResponse, status: number, { json, page: text }: { json?: unknown; page?: string }): void {
  if (text !== undefined) response.writeHead(status, { "content-type": "text/html; charset=utf-8", ...safeHeaders }).end(text);
  else if (json === undefined) response.writeHead(status, safeHeaders).end();
  else response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...safeHeaders }).end(JSON.stringify(json));
}
