import { expect, test } from "vitest";
import type { CauseField } from "../../api/cause.ts";
import { names } from "../../api/meta.ts";
import type { KubeObject } from "../../api/object.ts";
import type { Sync } from "../../api/sync.ts";
import { WaitingError } from "../../lib/errors.ts";
import { keyedDigest } from "../../lib/digest.ts";
import { silentLogger } from "../../lib/log.ts";
import { heldSecret } from "./held-secret.ts";

const never = new AbortController().signal;
const digest = keyedDigest("key");
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const secret = (name: string, value: string, canary?: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { namespace: "shop", name, ...(canary === undefined ? {} : { labels: { [names.canary]: canary } }) },
  data: { password: base64(value) },
});
const field = (change: Partial<CauseField> = {}): CauseField => ({
  object: "Secret/login",
  path: "data.password",
  secret: true,
  decides: true,
  promoted: digest(base64("old")),
  failed: digest(base64("new")),
  ...change,
});

interface Around {
  /** Value at HEAD; `undefined`: the Secret has no such key there. */
  readonly head?: string | undefined;
  readonly live?: readonly KubeObject[];
  /** Value in the rendering of the revert branch. */
  readonly branch?: string;
}

function held(changed: CauseField, { head = "new", live = [], branch }: Around): Promise<CauseField | undefined> {
  const deps = {
    kube: { find: async ({ name }: { name: string }) => live.find(({ metadata }) => metadata.name === name) },
    log: silentLogger,
    git: {},
    remoteOf: async () => ({}),
    repositories: { find: () => ({}) },
    renderAt: async () => {
      if (branch === undefined) throw new Error("no such tree");
      return [{ object: secret("login", branch) }];
    },
  } as unknown as Parameters<typeof heldSecret>[0];
  const place = {
    canary: "shop",
    namespace: "shop",
    target: "shop",
    sync: { metadata: { name: "apps", namespace: "shop" }, spec: { sourceRef: { name: "apps" } } } as unknown as Sync,
    rendered: [secret("login", head)],
    digest,
    branch: { branch: "serin/revert/a", commit: "c", tree: "t" },
  };
  return heldSecret(deps, place, changed, never);
}

const otherKey = keyedDigest("lost");
test.each<[string, CauseField, Around, string | undefined]>([
  ["the primary's copy", field(), { live: [secret("login-primary", "old", "shop")], branch: "old" }, "old"],
  ["the copy under the target's name", field(), { live: [secret("shop-login-primary", "old", "shop")] }, "old"],
  ["the live Secret that is held already, when the copy was promoted since", field(), { live: [secret("login-primary", "third", "shop"), secret("login", "old")] }, "old"],
  ["the branch on a fresh cluster, not somebody else's Secret of that name", field(), { live: [secret("login-primary", "old")], branch: "old" }, "old"],
  ["the primary's copy when the key of the digests was lost", field({ promoted: otherKey("a"), failed: otherKey("b") }), { live: [secret("login-primary", "old", "shop")] }, "old"],
  ["nowhere when the field only follows and says something else by now", field({ decides: false }), { head: "third", branch: "old" }, undefined],
  ["nowhere when HEAD has a third value and nobody knows the promoted one", field(), { head: "third" }, undefined],
])("the promoted value is taken from %s", async (_, changed, around, want) => {
  const found = await held(changed, around);
  expect(found).toEqual(want === undefined ? undefined : { ...changed, promoted: base64(want), decides: true });
});

test("a key that the promoted Secret did not have is taken out again", async () => {
  expect(await held(field({ promoted: undefined }), {})).toEqual(field({ promoted: undefined }));
});

test("a failed value never goes out because nobody knows the promoted one: the Sync waits", async () => {
  await expect(held(field(), { live: [secret("login", "new")], branch: "new" })).rejects.toThrow(WaitingError);
  await expect(held(field({ decides: false }), {})).rejects.toThrow(/promoted value of Secret\/login data.password/);
});
