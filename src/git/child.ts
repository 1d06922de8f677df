import { type ChildProcess, fork } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { Logger } from "../lib/log.ts";
import { GitError } from "./git.ts";
import { fromFailure, type FromWorker, type GitCore, type ToWorker } from "./protocol.ts";

/** How the child process is started and held. */
interface ChildOptions {
  /** Where it keeps its repositories. */
  readonly dir: string;
  readonly log: Logger;
  /** Resident memory above which it is killed. */
  readonly memoryLimitBytes: number;
  /** File and arguments that end up in `runGitWorker`. */
  readonly worker: { readonly file: string; readonly args: readonly string[] };
}

/** A call as the child knows it. */
interface Call {
  readonly method: keyof GitCore;
  readonly args: readonly unknown[];
  readonly signal: AbortSignal;
  /** After this it is taken for stuck, and the child for lost. */
  readonly limitMs: number;
}

/** A child process that is started when needed, watched, and replaced when it ends. */
interface Child {
  call(call: Call): Promise<unknown>;
  /** Its process id while it runs. */
  pid(): number | undefined;
  close(): Promise<void>;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

interface Running {
  readonly process: ChildProcess;
  readonly pending: Map<number, Pending>;
  /** Why we killed it; its calls fail with this. */
  verdict: GitError | undefined;
}

const watchMs = 50;

/** Nothing is started before the first call. */
export function createChild(options: ChildOptions): Child {
  let running: Running | undefined;
  let closed = false;
  let nextId = 1;
  const start = () => {
    if (closed) throw new GitError("GitOperationFailed", "Git is closed");
    running ??= startChild(options, (ended) => {
      if (running === ended) running = undefined;
    });
    return running;
  };
  return {
    call: async (call) => {
      call.signal.throwIfAborted();
      return send(start(), nextId++, call);
    },
    pid: () => running?.process.pid,
    close: async () => {
      closed = true;
      const child = running?.process;
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function startChild({ dir, log, memoryLimitBytes, worker }: ChildOptions, onEnd: (ended: Running) => void): Running {
  const heapMiB = Math.max(64, Math.floor(memoryLimitBytes / 1024 / 1024));
  const child = fork(worker.file, worker.args, {
    serialization: "advanced",
    // Between two packs it does little: a large nursery or heap would only be memory that is not given back.
    execArgv: [`--max-old-space-size=${heapMiB}`, "--max-semi-space-size=4", "--heap-growing-percent=20"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const running: Running = { process: child, pending: new Map(), verdict: undefined };
  const kill = (verdict: GitError) => {
    running.verdict ??= verdict;
    child.kill("SIGKILL");
  };
  const overLimit = (bytes: number) => {
    if (bytes <= memoryLimitBytes || running.verdict) return;
    log.warn({ pid: child.pid, bytes, memoryLimitBytes }, "git process stopped: it needs too much memory");
    kill(
      new GitError(
        "LimitExceeded",
        `the Git process was stopped: it needed more than ${Math.floor(memoryLimitBytes / 1024 / 1024)} MiB of memory`,
      ),
    );
  };
  const watch = setInterval(() => {
    // With nothing to do it cannot grow, and looking costs more than all else that an idle controller does.
    if (running.pending.size > 0) overLimit(residentBytes(child.pid));
  }, watchMs);
  watch.unref();
  child.on("message", (message: FromWorker) => {
    if (message.type === "memory") overLimit(message.bytes);
    else settle(running, message);
  });
  child.on("error", (error) => kill(new GitError("GitOperationFailed", `the Git process cannot be used: ${error.message}`)));
  child.once("exit", (code, signal) => {
    clearInterval(watch);
    const error =
      running.verdict ?? new GitError("GitOperationFailed", `the Git process ended (${signal ?? `code ${code}`}); it is started again`);
    for (const call of running.pending.values()) call.reject(error);
    onEnd(running);
  });
  child.send({ type: "start", dir } satisfies ToWorker);
  log.debug({ pid: child.pid }, "git process started");
  return running;
}

function settle({ pending }: Running, message: Exclude<FromWorker, { type: "memory" }>): void {
  const call = pending.get(message.id);
  if (message.type === "done") call?.resolve(message.value);
  else call?.reject(fromFailure(message.failure));
}

function send(running: Running, id: number, { method, args, signal, limitMs }: Call): Promise<unknown> {
  const { process: child, pending } = running;
  return new Promise((resolve, reject) => {
    const stuck = setTimeout(() => {
      running.verdict ??= new GitError(
        "LimitExceeded",
        `the Git process was stopped: it worked on one call for more than ${limitMs / 1_000} s`,
      );
      child.kill("SIGKILL");
    }, limitMs);
    const end = () => {
      clearTimeout(stuck);
      signal.removeEventListener("abort", onAbort);
      pending.delete(id);
    };
    const onAbort = () => {
      end();
      if (child.connected) child.send({ type: "abort", id } satisfies ToWorker);
      reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    };
    signal.addEventListener("abort", onAbort);
    pending.set(id, {
      resolve: (value) => {
        end();
        resolve(value);
      },
      reject: (error) => {
        end();
        reject(error);
      },
    });
    child.send({ type: "call", id, method, args } satisfies ToWorker, (error) => {
      if (error)
        pending.get(id)?.reject(running.verdict ?? new GitError("GitOperationFailed", `the Git process is gone: ${error.message}`));
    });
  });
}

/** What Linux says about another process; 0 where it does not. */
function residentBytes(pid: number | undefined): number {
  const path = `/proc/${pid}/status`;
  if (!existsSync(path)) return 0;
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(path, "utf8"))?.[1] ?? 0) * 1_024;
  } catch {
    return 0;
  }
}
