import { expect, test } from "vitest";
import { type GitHost, GitHostError } from "./git-host.ts";
import { observedHost } from "./observed.ts";

const signal = new AbortController().signal;

test("every call is told with its name and why it failed, and gives what the host gave", async () => {
  const heard: string[] = [];
  const host: GitHost = {
    findPullRequest: async () => undefined,
    createPullRequest: async () => {
      throw new GitHostError("Unauthorized", "401");
    },
    updatePullRequest: async () => {
      throw new Error("aborted");
    },
    comment: async () => {},
  };
  const observed = observedHost(host, ({ call, reason, durationMs }) => heard.push(`${call} ${reason ?? "-"} ${durationMs >= 0}`));
  expect(await observed.findPullRequest("x", signal)).toBeUndefined();
  await expect(observed.createPullRequest({ head: "x", base: "main", title: "", body: "" }, signal)).rejects.toThrow("401");
  await expect(observed.updatePullRequest(1, {}, signal)).rejects.toThrow("aborted");
  await observed.comment(1, { marker: "", body: "" }, signal);
  expect(heard).toEqual([
    "findPullRequest - true",
    "createPullRequest Unauthorized true",
    "updatePullRequest - true",
    "comment - true",
  ]);
});
