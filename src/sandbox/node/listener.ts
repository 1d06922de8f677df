import type { RequestListener } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** An open port of a container. */
export interface Listener {
  readonly port: number;
  /** Takes no new connections, finishes what is in flight, and resolves when all are closed. */
  drain(): Promise<void>;
  /** Cuts every connection at once. */
  destroy(): void;
}

/**
 * Serves a program on one port. Once `draining` aborts, each answer asks its client to close the connection, so that
 * clients that keep connections alive go away by themselves.
 * @param port 0: any free one. One that is taken meanwhile is replaced by a free one.
 */
export async function listen(serve: RequestListener, host: string, port: number, draining: AbortSignal): Promise<Listener> {
  const server = createServer((request, response) => {
    if (draining.aborted) response.setHeader("connection", "close");
    serve(request, response);
  });
  // Longer than any client keeps an idle connection: it must be the client that closes it.
  server.keepAliveTimeout = 65_000;
  const open = async (wanted: number): Promise<void> =>
    await new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(wanted, host, () => {
        server.off("error", reject);
        resolve();
      });
    });
  await open(port).catch(async (error: unknown) => {
    if (port === 0 || !(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
    await open(0);
  });
  const { port: real } = server.address() as AddressInfo;
  return {
    port: real,
    drain: async () =>
      await new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
    destroy: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
