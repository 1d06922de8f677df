import { connect, createServer, type NetConnectOpts, type Server, type Socket } from "node:net";
import { addresses } from "./layout.ts";
import type { Facts } from "./facts.ts";

/** What is published on the host. */
export const relayed = ["apiServer", "gateway", "prometheus", "gitea"] as const;
export type Relayed = (typeof relayed)[number];

interface Target {
  readonly host: string;
  readonly port: number;
}

/** Where connections go inside. */
export function relayTargets({ gitea }: Pick<Facts, "gitea">): Readonly<Record<Relayed, Target>> {
  const target = (url: string): Target => ({ host: new URL(url).hostname, port: Number(new URL(url).port) });
  const { apiServer, gateway, prometheus } = addresses;
  return { apiServer: target(apiServer), gateway: target(gateway), prometheus: target(prometheus), gitea: target(gitea.url) };
}

/** Inside: takes connections on a Unix socket, which is the same file for both network namespaces. */
export async function startInsideRelay(socket: string, target: Target): Promise<void> {
  await listen(forwardingTo({ ...target }), { path: socket });
}

/**
 * On the host: publishes a Unix socket on the loopback interface.
 * @param port the port wished for; if it is taken, any free one
 * @returns the port it got
 */
export async function startHostRelay(socket: string, port: number): Promise<number> {
  const server = forwardingTo({ path: socket });
  const host = "127.0.0.1";
  await listen(server, { host, port }).catch(async (error: unknown) => {
    if (!isTaken(error)) throw error;
    await listen(server, { host, port: 0 });
  });
  return portOf(server);
}

/** A port of the loopback interface that is free now: the one wished for, if possible. */
export async function freePort(wished: number): Promise<number> {
  const server = createServer();
  await listen(server, { host: "127.0.0.1", port: wished }).catch(async (error: unknown) => {
    if (!isTaken(error)) throw error;
    await listen(server, { host: "127.0.0.1", port: 0 });
  });
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function forwardingTo(target: NetConnectOpts): Server {
  return createServer({ allowHalfOpen: true }, (client) => {
    const other = connect({ ...target, allowHalfOpen: true });
    for (const [from, to] of [[client, other], [other, client]] as const) join(from, to);
  });
}

/** Either side's end or failure becomes the other's. */
function join(from: Socket, to: Socket): void {
  from.on("error", () => to.destroy());
  from.on("close", () => to.destroySoon());
  from.pipe(to);
}

async function listen(server: Server, where: { path: string } | { host: string; port: number }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the relay has no port");
  return address.port;
}
