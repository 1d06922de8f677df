import { expect, test } from "vitest";
import type { Remote } from "../../git/git.ts";
import { memoryGit, type MemoryRemote, memoryRemote } from "../../../test/fakes/memory-git.ts";
import { firstSerinCommit } from "./blame.ts";
import type { RevertDeps } from "./deps.ts";
import type { Scene } from "./scene.ts";

const signal = new AbortController().signal;

/** Two apps in one file: cart is released, then shop, and our branch undoes the release of shop. */
function release(): { source: MemoryRemote; cart: string; ours: string } {
  const source = memoryRemote();
  const text = (cart: number, shop: number) => ({ "apps.yaml": `cart ${cart}\nshop ${shop}\n` });
  source.commit(text(1, 1));
  const cart = source.commit(text(2, 1));
  const shop = source.commit(text(2, 2));
  source.move("refs/heads/ours", shop);
  return { source, cart, ours: source.commit(text(2, 1), { branch: "ours" }) };
}

async function toldAsOurs({ source, ours }: { source: MemoryRemote; ours: string }, oid: string): Promise<boolean> {
  const git = memoryGit(source);
  const { remote }: { remote: Remote } = source;
  const refs = [...source.refs].map(([name, at]) => ({ name, commit: at }));
  await git.fetch(remote, refs, { depth: 10 }, signal);
  const deps = { git, reverts: { list: () => [{ status: { commit: ours } }] } } as unknown as RevertDeps;
  return (await firstSerinCommit(deps, { remote } as Scene, [await git.commit(remote, oid, signal)], signal)) !== undefined;
}

test("a commit that made of a file what our revert brings back is not ours", async () => {
  const world = release();
  expect(await toldAsOurs(world, world.cart)).toBe(false);
});

test("a commit that changes what our revert changes is ours, whatever it is called", async () => {
  const world = release();
  const picked = world.source.commit({ "apps.yaml": "cart 2\nshop 1\n" }, { message: "Back to 1" });
  expect(await toldAsOurs(world, picked)).toBe(true);
});
