import { Agent, request } from "undici";
import { z } from "zod";
import type { ControlRequest } from "./control-server.ts";
import { type Facts, type PartName, partNames } from "./facts.ts";

/** Stops and starts the parts of the control plane that this process runs in. */
export interface Control {
  /**
   * Ends a part and waits until it has ended. On SIGTERM the API server first lets its watches run out, which takes it a minute;
   * the node takes the processes of its pods with it.
   */
  stop(part: PartName, signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Starts a stopped part again, with its old data and flags, and waits until it answers. */
  start(part: PartName): Promise<void>;
  /** Halts a part in the middle of whatever it does. */
  freeze(part: PartName): Promise<void>;
  /** Lets a frozen part go on. */
  thaw(part: PartName): Promise<void>;
  /** Process ids of the parts that run. */
  running(): Promise<Partial<Record<PartName, number>>>;
  close(): Promise<void>;
}

const limitMs = 150_000;

/** A client of the control socket. */
export function createControl({ control }: Pick<Facts, "control">): Control {
  const dispatcher = new Agent({ connect: { socketPath: control }, headersTimeout: limitMs });
  const ask = async (asked: ControlRequest): Promise<unknown> => {
    const signal = AbortSignal.timeout(limitMs);
    // A connection for each: tests that block for seconds would find an idle one closed.
    const how = { dispatcher, method: "POST", body: JSON.stringify(asked), reset: true, signal } as const;
    const { statusCode, body } = await request("http://control/", how);
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`${asked.do}${"part" in asked ? ` ${asked.part}` : ""}: ${text}`);
    return JSON.parse(text) as unknown;
  };
  const pids = z.partialRecord(z.enum(partNames), z.int());
  return {
    stop: async (part, signal) => void (await ask({ do: "stop", part, signal })),
    start: async (part) => void (await ask({ do: "start", part })),
    freeze: async (part) => void (await ask({ do: "freeze", part })),
    thaw: async (part) => void (await ask({ do: "thaw", part })),
    running: async () => pids.parse(await ask({ do: "list" })),
    close: async () => await dispatcher.close(),
  };
}
