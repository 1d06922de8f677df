// Asks a remote for its refs as a GitRepository's poll does, again and again, in a process of its own so that its cost can be
// told apart. Started by polls.ts: poller.ts FOLDER URL COUNT PREFIX…; says when it is warm, and waits to be told to begin.
import { once } from "node:events";
import { createGit } from "../../src/git/create-git.ts";
import { createLogger } from "../../src/lib/log.ts";

const [dir = "", url = "", count = "", ...prefixes] = process.argv.slice(2);
const git = createGit({ dir, log: createLogger("error") });
const poll = async (times: number): Promise<void> => {
  for (let done = 0; done < times; done++) await git.listRefs({ url, timeoutMs: 10_000 }, prefixes, AbortSignal.timeout(10_000));
};
await poll(Number(count));
process.send?.("warm");
await once(process, "message");
await poll(Number(count));
process.send?.("done");
await once(process, "message");
await git.close();
process.disconnect?.();
