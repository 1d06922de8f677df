import { expect, test } from "vitest";
import type { GitRepository } from "../../api/git-repository.ts";
import { GitError, type GitErrorReason } from "../../git/git.ts";
import { WaitingError } from "../../lib/errors.ts";
import { sourceError } from "./source-error.ts";

const repository = (interval: string, revision?: string) =>
  ({ spec: { url: "https://git.example/app.git", interval, ref: { branch: "main" } }, status: { revision } }) as unknown as GitRepository;

test.each<[GitErrorReason, string, number]>([
  ["BranchNotFound", "10s", 10_000],
  ["AuthenticationFailed", "1h", 60_000],
  ["UnsafeContent", "1h", 60_000],
])("%s is asked for again with the interval of %s, a minute at most", (reason, interval, afterMs) => {
  const error = sourceError(repository(interval), new GitError(reason, "no"));
  expect(error).toBeInstanceOf(WaitingError);
  expect(error).toMatchObject({ reason, afterMs, message: expect.stringMatching(/^https:\/\/git\.example\/app\.git \(branch main\): no; /) as string });
});

test.each<[GitErrorReason]>([["CorruptData"], ["GitOperationFailed"]])("%s, which nobody can mend, is tried again ever more seldom", (reason) => {
  const error = sourceError(repository("10s", "main@sha1:abc"), new GitError(reason, "no"));
  expect(error).toBeInstanceOf(GitError);
  expect(error).toMatchObject({ reason, message: "https://git.example/app.git (branch main): no; main@sha1:abc stays in use" });
});

test("what is no error of Git stays as it is", () => {
  const error = new WaitingError("SecretMissing", "no", 1);
  expect(sourceError(repository("10s"), error)).toBe(error);
});
