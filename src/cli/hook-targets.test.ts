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
function start({ copied = "old", synced = true }: { copied?: string; synced?: boolean } = {}) {
  const asked: string[] = [];
  const targets = createHookTargets({
    find: async ({ kind, name }: ObjectRef) => {
      asked.push(`${kind}/${name}`);
      return { GitRepository: repository, Secret: secretOf("now") }[kind];
    },
  });
  const copies: Record<string, KubeObject> = { GitRepository: repository, Secret: secretOf(copied) };
  const informers = { of: ({ kind }) => ({ synced, find: () => copies[kind] }) as unknown as Informer } as Informers;
  return { targets, asked, informers };
}

test("a replica that waits asks the API server each time", async () => {
  const { targets, asked } = start();
  for (let times = 0; times < 2; times++) expect(await targets.find("shop", "apps")).toEqual({ token: "now", suspended: false });
  expect(asked).toEqual(["GitRepository/apps", "Secret/hook", "GitRepository/apps", "Secret/hook"]);
});

test("the leader asks once and then reads its own copies, until it leads no more", async () => {
  const { targets, asked, informers } = start();
  const leading = new AbortController();
  targets.follow(informers, leading.signal);
  expect([await targets.find("shop", "apps"), await targets.find("shop", "apps")].map((target) => target?.token)).toEqual(["now", "old"]);
  expect(asked).toEqual(["GitRepository/apps", "Secret/hook"]);
  leading.abort();
  expect((await targets.find("shop", "apps"))?.token).toBe("now");
});

test("copies that are not filled yet are not read", async () => {
  const { targets, informers } = start({ synced: false });
  targets.follow(informers, new AbortController().signal);
  await targets.find("shop", "apps");
  expect((await targets.find("shop", "apps"))?.token).toBe("now");
});
