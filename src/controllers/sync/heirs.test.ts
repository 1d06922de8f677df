import { expect, test } from "vitest";
import type { ObjectRef } from "../../api/object.ts";
import type { Sync } from "../../api/sync.ts";
import { GitError } from "../../git/git.ts";
import { StalledError } from "../../lib/errors.ts";
import type { SyncDeps } from "./deps.ts";
import { heirsOf } from "./heirs.ts";
import type { Source } from "./source.ts";

const { signal } = new AbortController();
const source = { repository: {}, revision: "main@sha1:abc", commit: "abc" } as unknown as Source;
const web: ObjectRef = { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "web" };

interface Stands {
  readonly applied?: string;
  readonly seen?: number;
  readonly deletionTimestamp?: string;
}

function sync(name: string, { applied = "main@sha1:old", seen = 2, ...going }: Stands = {}): Sync {
  return {
    metadata: { namespace: "shop", name, generation: 2, ...going },
    spec: { sourceRef: { name: "repo" } },
    status: { lastAppliedRevision: applied, observedGeneration: seen },
  } as unknown as Sync;
}

interface Folder {
  /** Names of the ConfigMaps that it renders to, or what is wrong with it. */
  readonly renders?: readonly string[] | Error;
  readonly text?: string;
}

/** The Sync that takes `shop/web` over from `apps` when `other` says this. */
async function heir(other: Sync, { renders = [], text = "" }: Folder, refs: readonly ObjectRef[] = [web]): Promise<string | undefined> {
  const rendering = {
    inputsAt: async () => "new",
    renderAt: async () => {
      if (renders instanceof Error) throw renders;
      return renders.map((name) => ({ object: { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name } } }));
    },
    textAt: async () => text,
  };
  const deps = { syncs: { byIndex: () => [sync("apps"), other] }, rendering } as unknown as Pick<SyncDeps, "syncs" | "rendering">;
  return (await heirsOf(deps, { sync: sync("apps"), source, refs }, signal)).get("shop_web__ConfigMap");
}

test.each<[string, Sync, Folder, string | undefined]>([
  ["has it in its folder", sync("other"), { renders: ["web"] }, "shop/other"],
  ["has only others there", sync("other"), { renders: ["cart"] }, undefined],
  ["has applied the commit already", sync("other", { applied: "main@sha1:abc" }), { renders: ["web"] }, undefined],
  ["was changed since it applied the commit", sync("other", { applied: "main@sha1:abc", seen: 1 }), { renders: ["web"] }, "shop/other"],
  ["is being deleted", sync("other", { deletionTimestamp: "x" }), { renders: ["web"] }, undefined],
  ["is the same", sync("apps"), { renders: ["web"] }, undefined],
  ["cannot be rendered, but names it", sync("other"), { renders: new StalledError("BuildFailed", "no"), text: "name: web" }, "shop/other"],
  ["cannot be rendered and does not name it", sync("other"), { renders: new StalledError("BuildFailed", "no"), text: "name: cart" }, undefined],
  ["has a folder that Git cannot read", sync("other"), { renders: new GitError("CorruptData", "no"), text: "name: web" }, "shop/other"],
])("a Sync that %s takes it over or not", async (_, other, folder, want) => {
  expect(await heir(other, folder)).toBe(want);
});

test.each<[string, Error]>([
  ["the commit is not there to be read", new GitError("HistoryUnavailable", "not fetched")],
  ["nobody knows what failed", new Error("disk full")],
])("where %s nothing is said, so that nothing is deleted", async (_, error) => {
  await expect(heir(sync("other"), { renders: error, text: "" })).rejects.toBe(error);
});
