import { expect, test } from "vitest";
import type { GitRepository } from "../../api/git-repository.ts";
import type { Sync } from "../../api/sync.ts";
import { isUnseen, sourceOf } from "./source.ts";

const nowMs = Date.parse("2026-01-02T03:04:05Z");
const sync = { metadata: { namespace: "shop", name: "app" }, spec: { sourceRef: { name: "apps" } } } as Sync;

function repository({ ageMs = 1_000, conditions, suspend = false }: { ageMs?: number; conditions?: []; suspend?: boolean }): GitRepository {
  const metadata = { namespace: "shop", name: "apps", creationTimestamp: new Date(nowMs - ageMs).toISOString() };
  return { metadata, spec: { suspend }, status: conditions ? { conditions } : {} } as unknown as GitRepository;
}

test.each<[string, GitRepository | undefined, boolean]>([
  ["a source that was made a moment ago is waited for silently", repository({}), true],
  ["one that was looked at says itself what is wrong", repository({ conditions: [] }), false],
  ["one that nobody looks at for long is told of", repository({ ageMs: 11_000 }), false],
  ["one from the future too: the clocks differ, and nobody knows its age", repository({ ageMs: -5_000 }), false],
  ["one that is suspended too: it will not be looked at", repository({ suspend: true }), false],
  ["one that does not exist too", undefined, false],
])("%s", (_, source, unseen) => {
  expect(isUnseen(sync, { find: () => source }, nowMs)).toBe(unseen);
});

const revision = `main@sha1:${"a".repeat(40)}`;
const fetched = (status: object): GitRepository =>
  ({ metadata: { namespace: "shop", name: "apps" }, spec: {}, status }) as unknown as GitRepository;

test("a source is what was fetched", () => {
  const repository = fetched({ revision, revertBranches: [] });
  expect(sourceOf(sync, { find: () => repository })).toEqual({ repository, revision, commit: "a".repeat(40) });
});

test.each<[string, GitRepository | undefined, string]>([
  ["is not there", undefined, "SourceNotFound"],
  ["was not fetched yet", fetched({ revertBranches: [] }), "SourceNotReady"],
  ["names no commit", fetched({ revision: "main", revertBranches: [] }), "SourceNotReady"],
  ["does not know its revert branches: what they hold back would go out", fetched({ revision }), "SourceNotReady"],
])("nothing is written while a source %s", (_, repository, reason) => {
  expect(() => sourceOf(sync, { find: () => repository })).toThrow(expect.objectContaining({ name: "WaitingError", reason }));
});
