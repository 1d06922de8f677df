import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { appIn, configMap, eventually, never, startWorld, type World } from "../../../test/sync-world.ts";
import type { GitRepositorySpec, GitRepositoryStatus } from "../../api/git-repository.ts";
import { apiVersion, type Condition } from "../../api/meta.ts";

const signal = never();
let world: World;
let refuse: number | undefined;
beforeAll(async () => {
  world = await startWorld({
    git: {
      beforeRequest: (request, response) => {
        const wanted = `Basic ${Buffer.from("ada:s3cret").toString("base64")}`;
        const locked = request.url?.startsWith("/locked") && request.headers.authorization !== wanted;
        const bearer = request.url?.startsWith("/bearer") && request.headers.authorization !== "Bearer t0ken";
        const status = refuse ?? (locked || bearer ? 401 : undefined);
        if (status === undefined) return false;
        request.resume();
        response.writeHead(status).end("no\n");
        return true;
      },
    },
  });
});
afterAll(() => world.close());
beforeEach(() => {
  refuse = undefined;
});

async function create(namespace: string, spec: Partial<GitRepositorySpec> = {}): Promise<void> {
  await world.kube.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }, { fieldManager: "test" }, signal);
  const defaults = { url: `${world.gitUrl}/${namespace}.git`, ref: { branch: "main" }, interval: "1h" };
  await world.kube.apply(
    { apiVersion, kind: "GitRepository", metadata: { namespace, name: "app" }, spec: { ...defaults, ...spec } },
    { fieldManager: "test" },
    signal,
  );
}

const statusOf = async (namespace: string): Promise<GitRepositoryStatus> =>
  ((await world.kube.get({ apiVersion, kind: "GitRepository", namespace, name: "app" }, signal))["status"] ?? {}) as GitRepositoryStatus;

/** Waits for Ready with this status whose message matches. */
async function becomes(
  namespace: string,
  ready: Condition["status"],
  message: string,
): Promise<{ condition: Condition; status: GitRepositoryStatus }> {
  let last: Condition | undefined;
  return eventually(async () => {
    const status = await statusOf(namespace);
    last = status.conditions?.find(({ type }) => type === "Ready");
    return last?.status === ready && last.message.includes(message) ? { condition: last, status } : undefined;
  }, () => `wanted ${ready} ${message}, has ${JSON.stringify(last)}`);
}

test("says which commit it has, whose and what about, and which revert branches there are", async () => {
  const { source, poke } = appIn(world, "facts");
  const first = source.commit({ "a.yaml": configMap("a", {}) }, "Add a\n\nAt length.");
  source.git("push", "-q", "origin", "HEAD:refs/heads/serin/revert/prod/facts/app/1234567", "HEAD:refs/heads/serin/reverted");
  await create("facts");
  const { status } = await becomes("facts", "True", first);
  expect(status).toMatchObject({ revision: `main@sha1:${first}`, commit: { author: "Ada <ada@example.com>", subject: "Add a" } });
  expect(status.revertBranches).toEqual([{ name: "serin/revert/prod/facts/app/1234567", commit: first }]);

  source.git("push", "-q", "origin", ":refs/heads/serin/revert/prod/facts/app/1234567");
  await poke();
  await eventually(
    async () => (await statusOf("facts")).revertBranches?.length === 0 || undefined,
    () => "the revert branch is still listed",
  );
});

test("a poll that finds nothing new writes nothing", async () => {
  const { source, poke } = appIn(world, "idle");
  const commit = source.commit({ "a.yaml": "" });
  await create("idle", { interval: "100ms" });
  await becomes("idle", "True", commit);
  await poke();
  await eventually(
    async () => (await statusOf("idle")).lastHandledReconcileAt,
    () => "the request was not handled",
  );
  const version = async () =>
    (await world.kube.get({ apiVersion, kind: "GitRepository", namespace: "idle", name: "app" }, signal)).metadata.resourceVersion;
  const before = await version();
  const newer = source.commit({ "b.yaml": "" });
  await becomes("idle", "True", newer);
  const patches = world.requests.filter(
    ({ namespace, resource, verb }) => namespace === "idle" && resource === "gitrepositories/status" && verb === "patch",
  );
  expect(await version()).not.toBe(before);
  // First fetch, the request that was handled, the newer commit: however many polls there were.
  expect(patches.length).toBeLessThanOrEqual(4);
});

test("a rewritten branch is followed with a warning, an ordinary push without", async () => {
  const { source, poke, events } = appIn(world, "forced");
  const first = source.commit({ "a.yaml": "" });
  await create("forced");
  await becomes("forced", "True", first);
  const second = source.commit({ "a.yaml": "# 2" });
  await poke();
  await becomes("forced", "True", second);
  source.git("reset", "-q", "--hard", first);
  const third = source.commit({ "a.yaml": "# 3" });
  await poke();
  await becomes("forced", "True", third);
  const text = `main@sha1:${third} does not build on main@sha1:${second}: the branch was rewritten`;
  await eventually(async () => (await events()).find((event) => event.includes(text)), () => "no event");
  expect((await events()).filter((event) => event.includes("ForcePushed"))).toHaveLength(1);
});

describe("what goes wrong is told with a way out, and the last good revision stays", () => {
  test("deleted branch", async () => {
    const { source, poke } = appIn(world, "nobranch");
    const commit = source.commit({ "a.yaml": "" });
    await create("nobranch");
    await becomes("nobranch", "True", commit);
    source.git("push", "-q", "origin", "HEAD:refs/heads/other", ":refs/heads/main");
    await poke();
    const { condition, status } = await becomes("nobranch", "False", "branch main does not exist; check spec.ref.branch");
    expect(condition.reason).toBe("BranchNotFound");
    expect(condition.message).toContain(`main@sha1:${commit} stays in use`);
    expect(status.revision).toBe(`main@sha1:${commit}`);
  });

  test("missing repository", async () => {
    await create("norepo");
    expect((await becomes("norepo", "False", "norepo.git (branch main)")).condition.reason).toBe("RepositoryNotFound");
  });

  test("a server that is down", async () => {
    const { source, poke } = appIn(world, "down");
    const commit = source.commit({ "a.yaml": "" });
    await create("down");
    await becomes("down", "True", commit);
    refuse = 503;
    await poke();
    const { status } = await becomes("down", "False", "stays in use");
    expect(status.revision).toBe(`main@sha1:${commit}`);
  });

  test("wrong password, and no word of it", async () => {
    const { source, events } = appIn(world, "locked");
    const commit = source.commit({ "a.yaml": "" });
    const secret = (data: Record<string, string>) =>
      world.kube.apply(
        { apiVersion: "v1", kind: "Secret", metadata: { namespace: "locked", name: "git" }, stringData: data },
        { fieldManager: "test" },
        signal,
      );
    await create("locked", { secretRef: { name: "git" } });
    expect((await becomes("locked", "False", "Secret locked/git of spec.secretRef does not exist")).condition.reason).toBe(
      "SecretNotFound",
    );
    const poke = (at: string) =>
      world.kube.patch(
        { apiVersion, kind: "GitRepository", namespace: "locked", name: "app" },
        { metadata: { annotations: { "serin.dev/requestedAt": at } } },
        { fieldManager: "test" },
        signal,
      );
    await secret({ username: "ada" });
    await poke("1");
    expect((await becomes("locked", "False", "Secret locked/git of spec.secretRef has no password")).condition.reason).toBe("InvalidSecret");
    await secret({ username: "ada", password: "wr0ng" });
    await poke("2");
    const { condition } = await becomes("locked", "False", "check the credentials in spec.secretRef");
    expect(condition.reason).toBe("AuthenticationFailed");
    expect(JSON.stringify([condition, await events()])).not.toContain("wr0ng");
    await secret({ username: "ada", password: "s3cret" });
    await poke("3");
    await becomes("locked", "True", commit);
  });
});

test("a bearer token is enough", async () => {
  const { source } = appIn(world, "bearer");
  const commit = source.commit({ "a.yaml": "" });
  await world.kube.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "bearer" } }, { fieldManager: "test" }, signal);
  await world.kube.apply(
    { apiVersion: "v1", kind: "Secret", metadata: { namespace: "bearer", name: "git" }, stringData: { bearerToken: "t0ken\n" } },
    { fieldManager: "test" },
    signal,
  );
  await create("bearer", { secretRef: { name: "git" } });
  expect((await becomes("bearer", "True", commit)).condition.reason).toBe("Succeeded");
});

test("suspended it neither asks nor fetches", async () => {
  const { source } = appIn(world, "paused");
  source.commit({ "a.yaml": "" });
  await create("paused", { suspend: true, interval: "100ms" });
  const commit = source.commit({ "b.yaml": "" });
  await create("paused", { suspend: false, interval: "100ms" });
  const { status } = await becomes("paused", "True", commit);
  expect(status.revision).toBe(`main@sha1:${commit}`);
});
