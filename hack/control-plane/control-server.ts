import { createServer } from "node:http";
import { z } from "zod";
import { messageOf } from "../../src/lib/errors.ts";
import { partNames } from "./facts.ts";
import type { Supervisor } from "./supervisor.ts";

const part = z.enum(partNames);

/** What can be asked on the control socket. */
export const controlRequest = z.discriminatedUnion("do", [
  z.object({ do: z.literal("stop"), part, signal: z.enum(["SIGTERM", "SIGKILL"]) }),
  z.object({ do: z.literal("start"), part }),
  z.object({ do: z.literal("freeze"), part }),
  z.object({ do: z.literal("thaw"), part }),
  z.object({ do: z.literal("list") }),
]);
export type ControlRequest = z.infer<typeof controlRequest>;

/** Answers on a Unix socket: one JSON request a POST, answered when it is done. */
export async function startControlServer(socket: string, supervisor: Supervisor): Promise<void> {
  const server = createServer((request, response) => {
    const answer = async (): Promise<unknown> => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      return await carryOut(controlRequest.parse(JSON.parse(Buffer.concat(chunks).toString())), supervisor);
    };
    answer().then(
      (value) => response.end(JSON.stringify(value ?? null)),
      (error: unknown) => response.writeHead(500).end(messageOf(error)),
    );
  });
  // Starting a part may take longer than a client usually waits.
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socket, resolve);
  });
}

async function carryOut(asked: ControlRequest, supervisor: Supervisor): Promise<unknown> {
  switch (asked.do) {
    case "stop":
      return await supervisor.stop(asked.part, asked.signal);
    case "start":
      return await supervisor.restart(asked.part);
    case "freeze":
      return supervisor.signal(asked.part, "SIGSTOP");
    case "thaw":
      return supervisor.signal(asked.part, "SIGCONT");
    case "list":
      return supervisor.running();
    default:
      return asked satisfies never;
  }
}
