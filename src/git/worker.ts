import { existsSync } from "node:fs";
import { createGitCore } from "./core.ts";
import { GitError } from "./git.ts";
import { type FromWorker, type GitCore, toFailure, type ToWorker } from "./protocol.ts";

const reportMs = 250;

/** What the parent can read for itself is not reported. */
const procStatus = "/proc/self/status";

/** The child process of {@link createGit}: answers its parent's calls until the parent is gone. Never returns to the command line. */
export function runGitWorker(): void {
  let core: ReturnType<typeof createGitCore> | undefined;
  const calls = new Map<number, AbortController>();
  process.on("disconnect", () => process.exit(0));
  // An interrupt from the terminal is the parent's to handle.
  process.on("SIGINT", () => {});
  process.on("message", (message: ToWorker) => {
    switch (message.type) {
      case "start":
        core = createGitCore(message.dir);
        return;
      case "abort":
        calls.get(message.id)?.abort(new GitError("GitOperationFailed", "the call was given up"));
        return;
      case "call": {
        const aborter = new AbortController();
        calls.set(message.id, aborter);
        void answer(core, message, aborter.signal).then((reply) => {
          calls.delete(message.id);
          send(reply);
        });
        return;
      }
      default:
        message satisfies never;
    }
  });
  if (!existsSync(procStatus)) setInterval(() => send({ type: "memory", bytes: process.memoryUsage.rss() }), reportMs);
}

function send(message: FromWorker): void {
  if (process.connected) process.send?.(message);
}

async function answer(
  core: GitCore | undefined,
  { id, method, args }: Extract<ToWorker, { type: "call" }>,
  signal: AbortSignal,
): Promise<FromWorker> {
  try {
    if (!core) throw new GitError("GitOperationFailed", "the Git process was not started");
    // The parent's types have checked the arguments.
    const run = core[method] as (...args: unknown[]) => Promise<unknown>;
    return { type: "done", id, value: await run(...args, signal) };
  } catch (error) {
    return { type: "failed", id, failure: toFailure(error) };
  }
}
