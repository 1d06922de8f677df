import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { access } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

/** What a Git server over a folder of bare repositories does besides serving them. */
export interface GitHttpOptions {
  /** Folder of bare repositories, served under their path in it, e.g. `/team/app.git`. */
  readonly dir: string;
  /** Missing: everybody may read and push. */
  readonly auth?: { readonly username: string; readonly password: string } | undefined;
  /** Called after each push that was handled, also one that a hook refused, with the repository's path, e.g. `team/app.git`. */
  readonly onPush?: ((repository: string) => void | Promise<void>) | undefined;
  /** Sees each Git request first. May wrap the response; answers it itself when it returns `true`. */
  readonly beforeRequest?: ((request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>) | undefined;
}

/** Answers one request if it is Git's; `false`: it is not, and nothing was written. */
export type GitHttpHandler = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;

/** A running server. */
interface GitHttpServer {
  /** Without a slash at the end; a repository's address is `${url}/team/app.git`. */
  readonly url: string;
  close(): Promise<void>;
}

const gitPath = /^\/(?<repository>.+?)\/(?<service>info\/refs|git-upload-pack|git-receive-pack)$/;

/** The oldest Git whose commands we use: it came with `rev-parse --end-of-options`. */
const oldestGit = { major: 2, minor: 30 };

/** Throws a clear error where Git is not installed, too old, or comes without its HTTP server. */
export async function requireGit(): Promise<void> {
  const needed = `Git ${oldestGit.major}.${oldestGit.minor} or newer`;
  const version = await gitSays("--version");
  if (version === undefined) throw new Error(`The sandbox's Git server needs ${needed}, and there is no \`git\` on PATH. Install Git, then try again.`);
  const [, major = "0", minor = "0"] = /(\d+)\.(\d+)/.exec(version) ?? [];
  const isOld = Number(major) < oldestGit.major || (Number(major) === oldestGit.major && Number(minor) < oldestGit.minor);
  if (isOld) throw new Error(`The sandbox's Git server needs ${needed}, and \`git\` on PATH is ${version}. Install a newer Git, then try again.`);
  const folder = (await gitSays("--exec-path")) ?? "";
  await access(join(folder, "git-http-backend")).catch(() => {
    throw new Error(`The sandbox's Git server needs \`git http-backend\`, which is not in ${folder}. Install it (Alpine: apk add git-daemon), then try again.`);
  });
}

/** `undefined`: there is no git. */
async function gitSays(question: string): Promise<string | undefined> {
  const answer = await promisify(execFile)("git", [question]).catch(() => undefined);
  return answer?.stdout.trim();
}

/** Serves bare repositories through `git http-backend`, as part of a larger server. */
export function gitHttpHandler(options: GitHttpOptions): GitHttpHandler {
  return async (request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const match = gitPath.exec(url.pathname);
    if (!match?.groups) return false;
    if (options.beforeRequest && (await options.beforeRequest(request, response))) return true;
    if (!allowed(request, options.auth)) {
      request.resume();
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end("wrong username or password\n");
      return true;
    }
    await runBackend(options, request, { response, url });
    if (match.groups["service"] === "git-receive-pack") await options.onPush?.(decodeURIComponent(match.groups["repository"] ?? ""));
    return true;
  };
}

/** Starts a server of its own on loopback; `port` 0 or missing takes a free one. */
export async function startGitHttp(options: GitHttpOptions & { readonly port?: number | undefined }): Promise<GitHttpServer> {
  await requireGit();
  const handle = gitHttpHandler(options);
  const server = createServer((request, response) => {
    handle(request, response).then(
      (handled) => {
        if (!handled) response.writeHead(404).end("not found\n");
      },
      (error: unknown) => response.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  });
  await listen(server, options.port ?? 0);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve());
  });
}

function allowed(request: IncomingMessage, auth: GitHttpOptions["auth"]): boolean {
  if (!auth) return true;
  return request.headers.authorization === `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}`;
}

/** CGI variables as arguments of `env`, so that the process keeps the rest of our environment. */
function variables({ dir, auth }: GitHttpOptions, request: IncomingMessage, url: URL): string[] {
  const header = (name: string) => String(request.headers[name] ?? "");
  const length = request.headers["content-length"];
  return [
    `GIT_PROJECT_ROOT=${dir}`,
    "GIT_HTTP_EXPORT_ALL=1",
    "GIT_CONFIG_NOSYSTEM=1",
    "GIT_CONFIG_GLOBAL=/dev/null",
    `PATH_INFO=${decodeURIComponent(url.pathname)}`,
    `QUERY_STRING=${url.search.slice(1)}`,
    `REQUEST_METHOD=${request.method ?? "GET"}`,
    `CONTENT_TYPE=${header("content-type")}`,
    `HTTP_CONTENT_ENCODING=${header("content-encoding")}`,
    `GIT_PROTOCOL=${header("git-protocol")}`,
    `REMOTE_USER=${auth?.username ?? "anonymous"}`,
    "REMOTE_ADDR=127.0.0.1",
    ...(length === undefined ? [] : [`CONTENT_LENGTH=${length}`]),
  ];
}

const gitConfig = [
  "http.receivepack=true",
  "uploadpack.allowReachableSHA1InWant=true",
  "uploadpack.allowAnySHA1InWant=true",
  "safe.directory=*",
];

/** Pipes one request through `git http-backend`; resolves when the answer is written. */
function runBackend(
  options: GitHttpOptions,
  request: IncomingMessage,
  { response, url }: { response: ServerResponse; url: URL },
): Promise<void> {
  const child = spawn("env", [...variables(options, request, url), "git", ...gitConfig.flatMap((entry) => ["-c", entry]), "http-backend"]);
  // A client that hangs up, or a backend that answers early, breaks a pipe: no reason to end the server.
  child.stdin.on("error", () => {});
  child.stderr.resume();
  request.on("error", () => {});
  request.pipe(child.stdin);
  response.once("close", () => child.kill());
  return relay(child, response);
}

function relay(child: ChildProcessWithoutNullStreams, response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    let head: Buffer | undefined = Buffer.alloc(0);
    child.stdout.on("data", (chunk: Buffer) => {
      if (head) {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        writeHead(response, head.subarray(0, end).toString());
        chunk = head.subarray(end + 4);
        head = undefined;
      }
      if (chunk.length === 0 || response.write(chunk)) return;
      child.stdout.pause();
      response.once("drain", () => child.stdout.resume());
    });
    child.once("error", () => finish(response, "git could not be started\n", resolve));
    child.once("close", () => finish(response, head ? "git http-backend ended without an answer\n" : undefined, resolve));
  });
}

function finish(response: ServerResponse, failure: string | undefined, done: () => void): void {
  if (failure !== undefined && !response.headersSent) response.writeHead(500, { "content-type": "text/plain" });
  response.end(failure, done);
  // A connection that is gone never calls back.
  if (response.destroyed) done();
}

function writeHead(response: ServerResponse, head: string): void {
  let status = 200;
  const headers: Record<string, string> = {};
  for (const line of head.split("\r\n")) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === "status") status = Number.parseInt(value, 10);
    else headers[name] = value;
  }
  response.writeHead(status, headers);
}
