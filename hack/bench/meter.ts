import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A relay before a server that counts what goes through it. */
export interface Meter {
  /** The given address as it is reached through the relay. */
  readonly url: string;
  /** Bytes in both directions until now, HTTP headers included. */
  bytes(): number;
  close(): Promise<void>;
}

/** Starts a relay on loopback before the server of this address. */
export async function startMeter(address: string): Promise<Meter> {
  const { hostname, port } = new URL(address);
  const open = new Set<Socket>();
  let bytes = 0;
  const count = (chunk: Buffer): void => void (bytes += chunk.byteLength);
  const server = createServer((client) => {
    const remote = connect(Number(port), hostname);
    for (const [socket, other] of [[client, remote], [remote, client]] as const) {
      open.add(socket);
      socket.on("data", count);
      socket.pipe(other);
      socket.once("error", () => other.destroy());
      socket.once("close", () => open.delete(socket));
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(address);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    bytes: () => bytes,
    close: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
