import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Contract } from "./contract.ts";

/** A request to the API behind the server. */
export interface UpstreamRequest {
  readonly method: string;
  /** Below the API's own address, still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  /** Parsed JSON; `undefined`: none. */
  readonly body: unknown;
}

/** What the API answers. */
export interface UpstreamReply {
  readonly status: number;
  /** `undefined`: an empty body. */
  readonly json?: unknown;
}

/** The API behind the server. */
type Upstream = (request: UpstreamRequest) => Promise<UpstreamReply>;

/** An answer the API would never give: text as it is, or silence, or a cut connection. */
export type Fault = "silence" | "cut" | Readonly<{ status: number; headers: Readonly<Record<string, string>>; text: string }>;

/** A server that holds both sides to a contract and can misbehave. For tests. */
export interface ContractServer {
  readonly url: string;
  /** Everything that broke the contract so far. */
  readonly violations: readonly string[];
  /** Every request so far, e.g. `GET /repos/team/app/pulls`. */
  readonly calls: readonly string[];
  /** From now on every answer is this; `undefined`: the API's own again. */
  setFault(fault: Fault | undefined): void;
  close(): Promise<void>;
}

/** Puts a server on loopback before an API. */
export async function startContractServer(contract: Contract, upstream: Upstream): Promise<ContractServer> {
  const violations: string[] = [];
  const calls: string[] = [];
  let fault: Fault | undefined;
  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    const request = await read(incoming);
    calls.push(`${request.method} ${request.path}`);
    if (fault) return misbehave(response, fault);
    const { status, json } = await upstream(request);
    violations.push(...contract.violations({ ...request, status, reply: json }));
    response.writeHead(status, json === undefined ? {} : { "content-type": "application/json; charset=utf-8" });
    response.end(json === undefined ? undefined : JSON.stringify(json));
  };
  const server = createServer((incoming, response) => {
    serve(incoming, response).catch((error: unknown) => {
      violations.push(String(error));
      response.destroy();
    });
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
    violations,
    calls,
    setFault: (next) => {
      fault = next;
    },
    close: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}

function misbehave(response: ServerResponse, fault: Fault): void {
  if (fault === "silence") return;
  if (fault === "cut") response.destroy();
  else response.writeHead(fault.status, fault.headers).end(fault.text);
}

async function read(incoming: IncomingMessage): Promise<UpstreamRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(Buffer.from(chunk));
  const text = Buffer.concat(chunks).toString();
  const { pathname, searchParams } = new URL(incoming.url ?? "/", "http://localhost");
  const { method = "GET", headers } = incoming;
  const body: unknown = text === "" ? undefined : JSON.parse(text);
  return { method, path: pathname, query: searchParams, authorization: headers.authorization, body };
}
