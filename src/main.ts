#!/usr/bin/env node
import { fileURLToPath } from "node:url";
import { messageOf } from "./lib/errors.ts";

// What runs is loaded when it is known: the Git process shall not hold all of the others in memory.
try {
  // Not a command of the help: only we start it, with a channel to talk on.
  if (process.argv[2] === "git-worker" && process.send) (await import("./git/worker.ts")).runGitWorker();
  else {
    const { runCli } = await import("./cli/cli.ts");
    // This very file, whether it is main.ts or the one that everything was bundled into.
    const gitWorker = { file: fileURLToPath(import.meta.url), args: ["git-worker"] };
    process.exitCode = await runCli(process.argv.slice(2), gitWorker);
  }
} catch (error) {
  process.stderr.write(`serin: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
