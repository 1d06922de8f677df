import { beforeEach } from "vitest";
import { type RepositoryLab, testPullRequests } from "../conformance/git-host.ts";
import { memoryRemote } from "./memory-git.ts";
import { type MemoryHost, memoryHost } from "./memory-git-host.ts";

const names = { person: "ada", bot: "renovate-bot" };
let hosted: MemoryHost;
let lab: RepositoryLab;
beforeEach(() => {
  const source = memoryRemote();
  hosted = memoryHost(source);
  source.commit({ "README.md": "start" });
  let pushed = 0;
  lab = {
    push: async (branch, change = true) => {
      const ref = `refs/heads/${branch}`;
      source.move(ref, source.refs.get("refs/heads/main"));
      pushed += 1;
      return change ? source.commit({ [`file-${pushed}`]: "x" }, { branch }) : (source.refs.get(ref) ?? "");
    },
    deleteBranch: async (branch) => source.move(`refs/heads/${branch}`, undefined),
    merge: async (number, style) => hosted.merge(number, style),
    close: async (number, login) => hosted.close(number, names[login]),
    review: async (number, login, says) => hosted.review(number, names[login], says),
    comments: async (number) => hosted.comments(number),
    stop: async () => {},
  };
});

testPullRequests({ lab: () => lab, writer: () => hosted.host, names });
