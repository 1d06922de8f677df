import { join } from "node:path";
import { gitConformance } from "../../test/conformance/git.ts";
import { memoryGit, memoryRemote } from "../../test/fakes/memory-git.ts";
import { aGitRemote } from "../../test/git-remote.ts";
import { silentLogger } from "../lib/log.ts";
import { createGit } from "./create-git.ts";
import type { Git } from "./git.ts";

gitConformance("the fake in memory", async () => {
  const source = memoryRemote();
  return {
    remote: source.remote,
    clone: () => memoryGit(source),
    commit: (files, message) => source.commit(files, message === undefined ? {} : { message }),
    stop: async () => {},
  };
});

gitConformance("Git in its own process, over HTTP", async () => {
  const repo = await aGitRemote();
  const clones: Git[] = [];
  return {
    remote: repo.remote,
    clone: () => {
      const made = createGit({ dir: join(repo.dir, `cache-${clones.length}`), log: silentLogger });
      clones.push(made);
      return made;
    },
    commit: repo.commit,
    stop: async () => {
      for (const git of clones) await git.close();
      await repo.close();
    },
  };
});
