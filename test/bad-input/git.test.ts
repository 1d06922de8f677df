import { renameSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { apiVersion, type CommonStatus, type Condition } from "../../src/api/meta.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { type App, appIn, configMap, eventually, never, startWorld, type World } from "../sync-world.ts";

const password = "s3cret";
const login = `Basic ${Buffer.from(`ada:${password}`).toString("base64")}`;
/** By repository: answers in its place. */
const answers = new Map<string, (response: ServerResponse) => void>();

let world: World;
beforeAll(async () => {
  world = await startWorld({
    git: {
      beforeRequest: (request, response) => {
        const [, repository = ""] = /^\/([\w-]+)\.git\//.exec(request.url ?? "") ?? [];
        const isLocked = repository.startsWith("locked") && request.headers.authorization !== login;
        const answer = isLocked ? refuse : answers.get(repository);
        if (!answer) return false;
        request.resume();
        answer(response);
        return true;
      },
    },
  });
});
afterAll(() => world.close());

function refuse(response: ServerResponse): void {
  response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end("no\n");
}

function loginPage(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>Log in</title>");
}

const apply = (object: KubeObject): Promise<KubeObject> => world.kube.apply(object, { fieldManager: "test" }, never());

function secret(namespace: string, data: Record<string, string>): KubeObject {
  return { apiVersion: "v1", kind: "Secret", metadata: { namespace, name: "git" }, stringData: data };
}

/** Waits for Ready of the GitRepository with this status and reason, as `kubectl wait` does. */
async function source(namespace: string, status: Condition["status"], reason: string): Promise<Condition> {
  let last: Condition | undefined;
  const look = async (): Promise<Condition | undefined> => {
    const found = await world.kube.get({ apiVersion, kind: "GitRepository", namespace, name: "app" }, never());
    last = (found["status"] as CommonStatus | undefined)?.conditions?.find(({ type }) => type === "Ready");
    return last?.status === status && last.reason === reason ? last : undefined;
  };
  return eventually(look, () => `GitRepository ${namespace}/app: wanted ${status} ${reason}, has ${JSON.stringify(last)}`);
}

interface Trouble {
  readonly reason: string;
  /** What the condition says, beside the repository's address and what stays in use. */
  readonly says: string;
  /** Brings it about, in an app that runs. */
  readonly cause: (app: App) => unknown;
  readonly mend: (app: App) => unknown;
}

const move = (from: string, to: string): void => renameSync(join(world.dir, from), join(world.dir, to));
const named = (app: App, change: "delete" | "push"): string =>
  app.source.git("push", "-q", "origin", "HEAD:refs/heads/other", change === "delete" ? ":refs/heads/main" : "HEAD:refs/heads/main");

const troubles: Readonly<Record<string, Trouble>> = {
  "deleted-branch": {
    reason: "BranchNotFound",
    says: "(branch main): branch main does not exist; check spec.ref.branch",
    cause: (app) => named(app, "delete"),
    mend: (app) => named(app, "push"),
  },
  "deleted-repository": {
    reason: "RepositoryNotFound",
    says: "check spec.url, and that the credentials may see the repository",
    cause: () => move("deleted-repository.git", "gone.git"),
    mend: () => move("gone.git", "deleted-repository.git"),
  },
  "locked-out": {
    reason: "AuthenticationFailed",
    says: "check the credentials in spec.secretRef and that they may read the repository",
    cause: () => apply(secret("locked-out", { username: "ada", password: "wr0ng" })),
    mend: () => apply(secret("locked-out", { username: "ada", password })),
  },
  "login-page": {
    reason: "GitOperationFailed",
    says: 'answers with a web page "Log in", not with Git; check spec.url',
    cause: () => answers.set("login-page", loginPage),
    mend: () => answers.delete("login-page"),
  },
};

describe.concurrent("trouble with a source that worked is told, loses nothing, and is over once it is mended", () => {
  test.each(Object.entries(troubles))("%s", async (namespace, { reason, says, cause, mend }) => {
    const app = appIn(world, namespace);
    const first = app.source.commit({ "a.yaml": configMap("a", { k: "1" }) });
    await app.create();
    await apply(secret(namespace, { username: "ada", password }));
    await withSecret(namespace);
    await app.becomes(first, "True");

    await cause(app);
    await app.poke();
    const { message } = await source(namespace, "False", reason);
    for (const words of [`${world.gitUrl}/${namespace}.git`, says, `; main@sha1:${first} stays in use`]) expect(message).toContain(words);
    expect(JSON.stringify([message, await app.events()])).not.toMatch(/wr0ng|s3cret/);
    await stillHolds(app, first);

    await mend(app);
    const second = app.source.commit({ "a.yaml": configMap("a", { k: "2" }) });
    await app.poke();
    await source(namespace, "True", "Succeeded");
    await app.becomes(second, "True");
    expect((await app.find("ConfigMap", "a"))?.["data"]).toEqual({ k: "2" });
  });

  /** While its source is in trouble, what is applied stays, and stays as it was applied. */
  async function stillHolds(app: App, commit: string): Promise<void> {
    const { namespace } = app;
    await world.kube.patch(
      { apiVersion: "v1", kind: "ConfigMap", namespace, name: "a" },
      { data: { k: "hand" } },
      { fieldManager: "hand" },
      never(),
    );
    const isBack = async (): Promise<true | undefined> =>
      isDeepStrictEqual((await app.find("ConfigMap", "a"))?.["data"], { k: "1" }) || undefined;
    await eventually(isBack, () => `drift of ${namespace} is not corrected`);
    expect((await app.sync()).status.lastAppliedRevision).toBe(`main@sha1:${commit}`);
  }
});

describe.concurrent("a source that never worked", () => {
  test("a branch that is missing is named, and followed once it is there", async () => {
    const app = appIn(world, "no-branch");
    const commit = app.source.commit({ "a.yaml": configMap("a", { k: "1" }) });
    await app.create();
    const spec = { url: `${world.gitUrl}/no-branch.git`, ref: { branch: "release" }, interval: "1h" };
    await apply({ apiVersion, kind: "GitRepository", metadata: { namespace: "no-branch", name: "app" }, spec });
    const { message } = await source("no-branch", "False", "BranchNotFound");
    expect(message).toContain("(branch release): branch release does not exist; check spec.ref.branch");
    app.source.git("push", "-q", "origin", "HEAD:refs/heads/release");
    await app.poke();
    await app.becomes(`release@sha1:${commit}`, "True");
  });

  test("a repository that is missing is named, its Sync says what it waits for, and both go on once it is there", async () => {
    const app = appIn(world, "late");
    const commit = app.source.commit({ "a.yaml": configMap("a", { k: "1" }) });
    move("late.git", "later.git");
    await app.create();
    const { message } = await source("late", "False", "RepositoryNotFound");
    expect(message).toContain(`${world.gitUrl}/late.git (branch main)`);
    const waiting = await app.becomes("check spec.url", "False", "SourceNotReady");
    expect(waiting.message).toContain("GitRepository late/app has no revision yet");
    move("later.git", "late.git");
    await app.poke();
    await app.becomes(commit, "True");
  });

  test("a Sync without its source names it, and starts once it is there", async () => {
    const app = appIn(world, "sourceless");
    const commit = app.source.commit({ "a.yaml": configMap("a", { k: "1" }) });
    await app.create({ sourceRef: { kind: "GitRepository", name: "other" } });
    const { message } = await app.becomes("GitRepository sourceless/other", "False", "SourceNotFound");
    expect(message).toContain("does not exist; create it or change spec.sourceRef");
    const spec = { url: `${world.gitUrl}/sourceless.git`, ref: { branch: "main" }, interval: "1h" };
    await apply({ apiVersion, kind: "GitRepository", metadata: { namespace: "sourceless", name: "other" }, spec });
    await app.becomes(commit, "True");
  });
});

test("a rewritten branch is followed with a warning, and what only the old one had is pruned like anything else", async () => {
  const app = appIn(world, "rewritten");
  const first = app.source.commit({ "a.yaml": configMap("a", { k: "1" }) });
  await app.create();
  await app.becomes(first, "True");
  const second = app.source.commit({ "a.yaml": configMap("a", { k: "2" }), "b.yaml": configMap("b", { k: "2" }) });
  await app.poke();
  await app.becomes(second, "True");
  app.source.git("reset", "-q", "--hard", first);
  const third = app.source.commit({ "a.yaml": configMap("a", { k: "3" }) });
  await app.poke();
  await app.becomes(third, "True");
  const words = `Warning ForcePushed main@sha1:${third} does not build on main@sha1:${second}: the branch was rewritten`;
  await eventually(
    async () => (await app.events()).includes(words) || undefined,
    () => "nobody is warned",
  );
  expect((await app.find("ConfigMap", "a"))?.["data"]).toEqual({ k: "3" });
  expect(await app.find("ConfigMap", "b")).toBeUndefined();
});

async function withSecret(namespace: string): Promise<void> {
  const ref = { apiVersion, kind: "GitRepository", namespace, name: "app" };
  await world.kube.patch(ref, { spec: { secretRef: { name: "git" } } }, { fieldManager: "test" }, never());
}
