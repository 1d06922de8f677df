import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { chmodSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { aGitRemote, runGit } from "../../test/git-remote.ts";
import { createGitCore } from "./core.ts";
import { GitError, type GitErrorReason } from "./git.ts";

const signal = new AbortController().signal;
const main = "refs/heads/main";

type Fault = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Changes the bytes of the answer as they go out; `undefined` breaks the connection. */
function rewriting(change: (chunk: Buffer, at: number) => Buffer | undefined): Fault {
  return (_request, response) => {
    let at = 0;
    const write = response.write.bind(response) as (chunk: Buffer) => boolean;
    response.write = (chunk: Buffer) => {
      const changed = change(Buffer.from(chunk), at);
      at += chunk.length;
      if (changed === undefined) response.destroy();
      return changed === undefined || changed.length === 0 ? true : write(changed);
    };
    return false;
  };
}

const cutAt = (bytes: number) => rewriting((chunk, at) => (at + chunk.length > bytes ? undefined : chunk));
const endAt = (bytes: number) => rewriting((chunk, at) => chunk.subarray(0, Math.max(0, bytes - at)));
const flipAt = (bytes: number) =>
  rewriting((chunk, at) => {
    if (at <= bytes && at + chunk.length > bytes) chunk[bytes - at]! ^= 0x55;
    return chunk;
  });

async function setUp(options: { auth?: { username: string; password: string }; timeoutMs?: number } = {}) {
  const state: { fault: Fault | undefined } = { fault: undefined };
  const isFetch = (request: IncomingMessage) =>
    request.url?.endsWith("/git-upload-pack") === true && request.headers["git-protocol"] === undefined;
  const repo = await aGitRemote({
    ...options,
    beforeRequest: (request, response) => {
      if (state.fault && (isFetch(request) || state.fault.length === 1)) return state.fault(request, response);
      return false;
    },
  });
  const git = createGitCore(join(repo.dir, "cache"));
  onTestFinished(async () => {
    await git.close();
    await repo.close();
  });
  const bring = async (commit: string) => git.fetch(repo.remote, [{ name: main, commit }], { depth: 50 }, signal);
  return {
    ...repo,
    core: git,
    state,
    bring,
    gitdir: () => join(repo.dir, "cache", readdirSync(join(repo.dir, "cache"))[0]!, "repository"),
  };
}

async function reasonOf(work: Promise<unknown>): Promise<GitErrorReason | "none"> {
  try {
    await work;
    return "none";
  } catch (error) {
    if (error instanceof GitError) return error.reason;
    throw error;
  }
}

const manyFiles = (seed: string) =>
  Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`app/f${index}.yaml`, `${seed}: ${randomBytes(300).toString("hex")}\n`]));

test.each<[string, Fault, GitErrorReason]>([
  ["cut early", cutAt(100), "GitOperationFailed"],
  ["cut in the middle of the pack", cutAt(8_000), "GitOperationFailed"],
  ["ended in the middle of the pack as if it were whole", endAt(8_000), "CorruptData"],
  ["one byte of the pack changed", flipAt(8_000), "CorruptData"],
  ["one byte of the frame changed", flipAt(0), "CorruptData"],
])("a fetch that is %s leaves what was there usable, and the next one mends it", async (_, fault, reason) => {
  const { core, remote, commit, state, bring, gitdir } = await setUp();
  const first = commit(manyFiles("one"));
  state.fault = fault;
  expect(await reasonOf(bring(first))).toBe(reason);
  expect(await reasonOf(core.commit(remote, first, signal))).toBe("HistoryUnavailable");
  state.fault = undefined;
  await bring(first);
  const second = commit(manyFiles("two"));
  state.fault = fault;
  expect(await reasonOf(bring(second))).toBe(reason);
  expect(await core.files(remote, first, "app", signal)).toHaveLength(40);
  expect(await reasonOf(core.commit(remote, second, signal))).toBe("HistoryUnavailable");
  state.fault = undefined;
  await bring(second);
  expect(await core.files(remote, second, "app", signal)).toHaveLength(40);
  const packs = readdirSync(join(gitdir(), "objects/pack"));
  expect(packs.filter((file) => file.endsWith(".pack"))).toHaveLength(2);
  expect(packs).toHaveLength(4);
  runGit(["--git-dir", gitdir(), "fsck", "--connectivity-only"]);
});

test("after a fetch that failed the next one still says what is there, and gets only what is new", async () => {
  const { commit, state, bring } = await setUp();
  await bring(commit(manyFiles("one")));
  const second = commit({ "app/f0.yaml": "new: 1\n" });
  state.fault = cutAt(300);
  expect(await reasonOf(bring(second))).toBe("GitOperationFailed");
  let bytes = 0;
  state.fault = rewriting((chunk) => {
    bytes += chunk.length;
    return chunk;
  });
  await bring(second);
  expect(bytes).toBeGreaterThan(300);
  // All forty files are more than ten times as much.
  expect(bytes).toBeLessThan(5_000);
  await bring(second);
  expect(bytes).toBeLessThan(5_000);
});

test("whichever byte is damaged, a fetch either fails or gives the right content, and the next one succeeds", async () => {
  const { core, remote, commit, state, bring } = await setUp();
  const oid = commit({ "a.yaml": `a: ${randomBytes(2_000).toString("hex")}\n` });
  for (let round = 0; round < 12; round++) {
    state.fault = flipAt(40 + Math.floor(Math.random() * 2_000));
    await reasonOf(bring(oid));
    const read = await core.files(remote, oid, "", signal).then(
      (files) => files.length,
      (error: GitError) => error.reason,
    );
    expect([1, "HistoryUnavailable"]).toContain(read);
    state.fault = undefined;
    await bring(oid);
    expect(await core.files(remote, oid, "", signal)).toHaveLength(1);
    await core.forget(remote);
  }
});

test("a pack that is damaged on our disk is noticed, thrown away and fetched again", async () => {
  const { core, remote, commit, bring, gitdir } = await setUp();
  const oid = commit(manyFiles("one"));
  await bring(oid);
  const [pack] = readdirSync(join(gitdir(), "objects/pack")).filter((file) => file.endsWith(".pack"));
  const path = join(gitdir(), "objects/pack", pack!);
  chmodSync(path, 0o644);
  writeFileSync(path, Buffer.alloc(20_000, 7));
  expect(await reasonOf(core.files(remote, oid, "app", signal))).toBe("CorruptData");
  await bring(oid);
  expect(await core.files(remote, oid, "app", signal)).toHaveLength(40);
});

const answer = (status: number, headers: Record<string, string>, body: string): Fault =>
  ((request: IncomingMessage, response?: ServerResponse) => {
    request.resume();
    response?.writeHead(status, headers).end(body);
    return true;
  }) as Fault;

test.each<[string, Fault, GitErrorReason, RegExp]>([
  ["401", answer(401, {}, "who are you"), "AuthenticationFailed", /spec\.secretRef.*401.*who are you/],
  ["403", answer(403, {}, "not you"), "AuthenticationFailed", /403.*not you/],
  ["404", answer(404, { "content-type": "text/html" }, "<title>Gone\u0007</title>"), "RepositoryNotFound", /does not exist.*404.*"Gone"/],
  ["500", answer(500, {}, "boom"), "GitOperationFailed", /status 500: boom/],
  [
    "a web page",
    answer(200, { "content-type": "text/html; charset=utf-8" }, "<title>Sign in</title>"),
    "GitOperationFailed",
    /web page "Sign in".*spec\.url/,
  ],
  [
    "a redirect to another host",
    answer(302, { location: "http://localhost:1/x.git" }, ""),
    "GitOperationFailed",
    /redirects to http:\/\/localhost:1;/,
  ],
])("%s is told apart, by words that say what to do", async (_, fault, reason, words) => {
  const { core, remote, state } = await setUp();
  // A fault with one parameter is for every request.
  state.fault = Object.defineProperty(fault, "length", { value: 1 });
  const error: unknown = await core.listRefs(remote, [main], signal).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ name: expect.stringMatching(/GitError|HttpStatusError/), reason });
  expect((error as Error).message).toMatch(words);
});

test("silence ends at the timeout, and an abort at once", async () => {
  const { core, remote, commit, state, bring } = await setUp({ timeoutMs: 300 });
  const oid = commit({ "a.yaml": "a: 1\n" });
  state.fault = () => true;
  await expect(bring(oid)).rejects.toMatchObject({ reason: "LimitExceeded", message: expect.stringContaining("spec.timeout") });
  const aborter = new AbortController();
  const patient = { ...remote, timeoutMs: 60_000 };
  const fetching = core.fetch(patient, [{ name: main, commit: oid }], { depth: 50 }, aborter.signal);
  aborter.abort(new Error("no longer needed"));
  await expect(fetching).rejects.toThrow("no longer needed");
  state.fault = undefined;
  await bring(oid);
});

test("a wrong password, a missing repository and a missing branch are told apart", async () => {
  const auth = { username: "bot", password: "s3cret" };
  const { core, remote, commit } = await setUp({ auth });
  commit({ "a.yaml": "a: 1\n" });
  const wrong = { ...remote, auth: { ...auth, password: "hunter2" } };
  const error: unknown = await core.listRefs(wrong, [main], signal).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ reason: "AuthenticationFailed" });
  expect((error as Error).message).not.toContain("hunter2");
  expect(await reasonOf(core.listRefs({ ...remote, url: remote.url.replace("app.git", "gone.git") }, [main], signal))).toBe(
    "RepositoryNotFound",
  );
  expect(await core.listRefs(remote, ["refs/heads/gone"], signal)).toEqual([]);
  expect(await reasonOf(core.listRefs({ ...remote, url: "http://127.0.0.1:1/app.git" }, [main], signal))).toBe("GitOperationFailed");
});

test("a force push is followed, and a commit that went away is a named reason", async () => {
  const { core, remote, commit, bring, git: source } = await setUp();
  const first = commit({ "a.yaml": "a: 1\n" });
  const gone = commit({ "a.yaml": "a: 2\n" });
  await bring(gone);
  source("reset", "-q", "--hard", first);
  const other = commit({ "a.yaml": "a: 3\n" });
  await bring(other);
  expect(await core.files(remote, other, "", signal)).toHaveLength(1);
  expect(await reasonOf(core.history(remote, { from: gone, to: other }, signal))).toBe("HistoryUnavailable");
  expect(await reasonOf(core.commit(remote, "1".repeat(40), signal))).toBe("HistoryUnavailable");
  source("update-ref", "-d", main);
  expect(await core.listRefs(remote, [main], signal)).toEqual([]);
  expect(await core.files(remote, other, "", signal)).toHaveLength(1);
});

test("a hook's refusal is passed on in its own words, and a lost race is StaleRef", async () => {
  const { core, remote, commit, bring, bare } = await setUp();
  const first = commit({ "a.yaml": "a: 1\n" });
  const bad = commit({ "a.yaml": "a: 2\n" });
  await bring(bad);
  const result = await core.revert(remote, { head: bad, commits: [bad] }, signal);
  if (result.outcome !== "clean") throw new Error(result.outcome);
  const person = { name: "Serin", email: "serin@example.test" };
  const made = await core.createCommit(
    remote,
    { tree: result.tree, parents: [bad], message: "Revert", author: person, time: "2026-01-31T12:00:00Z" },
    signal,
  );
  expect(await reasonOf(core.push(remote, { ref: main, expected: first, commit: made }, signal))).toBe("StaleRef");
  expect(await reasonOf(core.push(remote, { ref: main, expected: undefined, commit: made }, signal))).toBe("StaleRef");
  expect(await reasonOf(core.push(remote, { ref: "refs/heads/a..b", expected: undefined, commit: made }, signal))).toBe("PushRefused");
  writeFileSync(join(bare, "hooks/pre-receive"), "#!/bin/sh\necho 'main is protected: ask the owners' >&2\nexit 1\n", { mode: 0o755 });
  await expect(core.push(remote, { ref: main, expected: bad, commit: made }, signal)).rejects.toMatchObject({
    reason: "PushRefused",
    message: expect.stringMatching(/pre-receive hook declined; main is protected: ask the owners/),
  });
  writeFileSync(join(bare, "hooks/pre-receive"), "#!/bin/sh\nexit 0\n", { mode: 0o755 });
  await core.push(remote, { ref: main, expected: bad, commit: made }, signal);
  // The answer was lost and we try again: it is done.
  await core.push(remote, { ref: main, expected: bad, commit: made }, signal);
});

test("a server that speaks only protocol v1 is understood", async () => {
  const seen: (string | undefined)[] = [];
  const repo = await aGitRemote({
    beforeRequest: (request) => {
      seen.push(request.url);
      delete request.headers["git-protocol"];
      return false;
    },
  });
  const core = createGitCore(join(repo.dir, "cache"));
  onTestFinished(async () => {
    await core.close();
    await repo.close();
  });
  const oid = repo.commit({ "a.yaml": "a: 1\n" });
  repo.git("tag", "-a", "v1", "-m", "one");
  repo.git("branch", "main2");
  expect(await core.listRefs(repo.remote, [main], signal)).toEqual([
    { name: main, commit: oid },
    { name: "refs/heads/main2", commit: oid },
  ]);
  expect(seen.at(-1)).toBe("/app.git/info/refs?service=git-upload-pack");
  const tags = await core.listRefs(repo.remote, ["refs/tags/"], signal);
  expect(tags).toEqual([{ name: "refs/tags/v1", commit: repo.git("rev-parse", "v1") }]);
  const withSlash = { ...repo.remote, url: `${repo.remote.url}/` };
  await core.fetch(withSlash, tags, { depth: 50 }, signal);
  expect((await core.commit(withSlash, tags[0]!.commit, signal)).oid).toBe(oid);
});

test("a redirect on the same host is followed with the credentials, and a bearer token is sent as one", async () => {
  const seen: (string | undefined)[] = [];
  const repo = await aGitRemote({
    beforeRequest: (request, response) => {
      seen.push(request.headers.authorization);
      if (!request.url?.startsWith("/old.git")) return false;
      request.resume();
      response.writeHead(301, { location: request.url.replace("old", "app") }).end();
      return true;
    },
  });
  const core = createGitCore(join(repo.dir, "cache"));
  onTestFinished(async () => {
    await core.close();
    await repo.close();
  });
  const commit = repo.commit({ "a.yaml": "a: 1\n" });
  const moved = { ...repo.remote, url: repo.remote.url.replace("app", "old"), auth: { bearerToken: "t0ken" } };
  expect(await core.listRefs(moved, [main], signal)).toEqual([{ name: main, commit }]);
  expect(seen).toEqual(["Bearer t0ken", "Bearer t0ken"]);
});

test("a connection that the server closes before it answers is tried once more, not for ever", async () => {
  const { core, remote, commit, state } = await setUp();
  const oid = commit({ "a.yaml": "a: 1\n" });
  let failures = 1;
  const drop = ((request: IncomingMessage) => {
    if (failures-- <= 0) return false;
    request.socket.destroy();
    return true;
  }) as Fault;
  state.fault = drop;
  expect(await core.listRefs(remote, [main], signal)).toEqual([{ name: main, commit: oid }]);
  failures = 100;
  expect(await reasonOf(core.listRefs(remote, [main], signal))).toBe("GitOperationFailed");
});
