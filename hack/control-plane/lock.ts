import { spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Runs the work while no other process holds this file. The kernel frees the lock when its holder ends, however it ends.
 * @param waiting called once when another process has it now
 */
export async function withLock<T>(file: string, waiting: () => void, work: () => Promise<T>): Promise<T> {
  // `cat` ends, and with it the lock, when our end of its standard input closes.
  const holder = spawn("flock", ["--exclusive", file, "sh", "-c", "echo locked && exec cat"], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(holder, "close");
  const patience = setTimeout(waiting, 1_000);
  try {
    const first = await Promise.race([once(holder.stdout, "data"), ended.then(() => undefined)]);
    if (!first) throw new Error(`${file} cannot be locked`);
    clearTimeout(patience);
    return await work();
  } finally {
    clearTimeout(patience);
    holder.stdin.end();
    await ended;
  }
}
