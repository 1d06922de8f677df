import { expect, test } from "vitest";
import { apiVersion } from "../api/meta.ts";
import type { KubeObject, ObjectRef } from "../api/object.ts";
import type { Informer, Informers } from "../kube/kube.ts";
import { createHookTargets } from "./hook-targets.ts";

const metadata = { namespace: "shop", name: "apps" };
const repository: KubeObject = {
  apiVersion,
  kind: "GitRepository",
  metadata,
  spec: { url: "https://git.example/apps.git", interval: "1m", webhook: { secretRef: { name: "hook" } } },
};
const secretOf = (token: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { namespace: "shop", name: "hook" },
  data: { token: Buffer.from(token).toString("base64") },
});

/** With an API server of two objects, and copies of them in which the token may be another one. */
function start(options: { copied?: string; synced?: boolean; answers?: Promise<void> } = {}) {
  const { copied = "old", synced = true, answers = Promise.resolve() } = options;
  const asked: string[] = [];
  const there = new Set(["GitRepository", "Secret"]);
  const find = async ({ kind, name }: ObjectRef) => {
    asked.push(`${kind}/${name}`);
    await answers;
    return [repository, secretOf("now")].find((object) => there.has(kind) && object.kind === kind && object.metadata.name === name);
  };
  const targets = createHookTargets({ find });
  const tokenOf = async (name: string): Promise<string | undefined> => {
    const target = await targets.find("shop", name);
    return target === "busy" ? target : target?.token;
  };
  const copies: Record<string, KubeObject> = { GitRepository: repository, Secret: secretOf(copied) };
  const informers = { of: ({ kind }) => ({ synced, find: () => copies[kind] }) as unknown as Informer } as Informers;
  return { targets, tokenOf, there, asked, informers };
}

test("a replica that waits asks the API server each time", async () => {
  const { targets, asked } = start();
  for (let times = 0; times < 2; times++) expect(await targets.find("shop", "apps")).toEqual({ token: "now", suspended: false });
  expect(asked).toEqual(["GitRepository/apps", "Secret/hook", "GitRepository/apps", "Secret/hook"]);
});

test("the leader asks once and then reads its own copies, until it leads no more", async () => {
  const { targets, tokenOf, asked, informers } = start();
  const leading = new AbortController();
  targets.follow(informers, leading.signal);
  expect([await tokenOf("apps"), await tokenOf("apps")]).toEqual(["now", "old"]);
  expect(asked).toEqual(["GitRepository/apps", "Secret/hook"]);
  leading.abort();
  expect(await tokenOf("apps")).toBe("now");
});

test("copies that are not filled yet are not read", async () => {
  const { targets, tokenOf, informers } = start({ synced: false });
  targets.follow(informers, new AbortController().signal);
  await targets.find("shop", "apps");
  expect(await tokenOf("apps")).toBe("now");
});

test("what is not there yet is looked for again at the next push, be that a moment later", async () => {
  const { tokenOf, there } = start();
  there.delete("GitRepository");
  expect(await tokenOf("apps")).toBeUndefined();
  there.add("GitRepository");
  expect(await tokenOf("apps")).toBe("now");
});

test("no more than eight are looked up at once", async () => {
  const { promise: answers, resolve: answer } = Promise.withResolvers<void>();
  const { tokenOf, asked } = start({ answers });
  const eight = Array.from({ length: 8 }, (_, index) => tokenOf(`guessed-${index}`));
  expect([await tokenOf("apps"), asked.length]).toEqual(["busy", 8]);
  answer();
  await Promise.all(eight);
  expect(await tokenOf("apps")).toBe("now");
});
