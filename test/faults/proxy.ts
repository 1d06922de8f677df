import { createServer, type IncomingMessage, request as send, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How a server can be of no use; `gone`: as if nobody listened. */
export type Trouble = "error" | "html" | "half" | "slow" | "gone";

/** Stands before a server, such as a Git host, and can spoil what it says. */
export interface FaultyProxy {
  /** Without a slash at the end. */
  readonly url: string;
  /** From now on; `undefined`: pass everything on as it is. */
  trouble(kind: Trouble | undefined): void;
  close(): Promise<void>;
}

const slowMs = 20_000;

/** Starts one on loopback. */
export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  let trouble: Trouble | undefined;
  const server = createServer((request, response) => {
    if (trouble === "gone") return void request.socket.destroy();
    if (trouble === "error") return void response.writeHead(500, { "content-type": "text/plain" }).end("internal error");
    if (trouble === "html") return void response.writeHead(200, { "content-type": "text/html" }).end("<html><body>We are moving house</body></html>");
    if (trouble === "slow") return void setTimeout(() => pass(target, request, response, false), slowMs).unref();
    pass(target, request, response, trouble === "half");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    trouble: (kind) => {
      trouble = kind;
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Hands on a request; of a pack only the first half, and then the connection is cut. */
function pass(target: string, request: IncomingMessage, response: ServerResponse, cut: boolean): void {
  const { host: _, ...headers } = request.headers;
  const upstream = send(new URL(request.url ?? "/", target), { method: request.method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    if (!cut || request.method !== "POST") return void answer.pipe(response);
    const chunks: Buffer[] = [];
    answer.on("data", (chunk: Buffer) => chunks.push(chunk));
    answer.on("end", () => {
      const all = Buffer.concat(chunks);
      response.write(all.subarray(0, all.length / 2), () => response.destroy());
    });
  });
  upstream.on("error", () => response.destroy());
  request.pipe(upstream);
}
