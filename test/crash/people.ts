import { apiVersion, names } from "../../src/api/meta.ts";
import type { KindRef, KubeObject } from "../../src/api/object.ts";
import { readCommit } from "../../src/git/tree.ts";
import type { HostedPull } from "../fakes/memory-git-host.ts";
import { namespace, type Sheet, sheetsOf, textOf } from "./manifests.ts";
import { type App, apps, type Move } from "./moves.ts";
import { type CrashWorld, fileOf } from "./world.ts";

const signal = new AbortController().signal;
const byHand = { fieldManager: "kubectl-edit" };
const main = "refs/heads/main";

type Make<D extends Move["do"]> = (world: CrashWorld, move: Extract<Move, { do: D }>) => void | Promise<unknown>;
/** What each move does; one for which there is no occasion does nothing. `kill` and `relist` are the driver's. */
type Deeds = { readonly [D in Exclude<Move["do"], "kill" | "relist">]: Make<D> };

const deeds: Deeds = {
  release: (world, { app, tag, also }) => {
    const image = { image: `shop:${tag}` };
    const edits: Edit[] = [{ kind: "Deployment", name: app, values: also === "mode" ? { ...image, mode: `with-${tag}` } : image }];
    if (also === "config") edits.push({ kind: "ConfigMap", name: `${app}-config`, values: { key: `fine-${tag}` } });
    return edit(world, `Release ${tag} of ${app}`, edits);
  },
  configure: (world, { app, value }) =>
    edit(world, `Configure ${app}`, [{ kind: "ConfigMap", name: `${app}-config`, values: { key: value } }]),
  mode: (world, { app, value }) => edit(world, `Set the mode of ${app}`, [{ kind: "Deployment", name: app, values: { mode: value } }]),
  bulk: (world, { tags }) => {
    const edits = world.schedule.shape.apps.map((app): Edit => ({ kind: "Deployment", name: app, values: { image: `shop:${tags[app]}` } }));
    return edit(world, "Bump everything", [...edits, { kind: "ConfigMap", name: "team", values: { text: tags.cart } }]);
  },
  team: (world, { where, value }) =>
    edit(world, "Something else", [{ kind: "ConfigMap", name: where === "shop" ? "note" : "team", values: { text: value } }]),
  extra: (world, { there }) => {
    const text = textOf(["extra", "extra-2", "extra-3"].map((name) => ({ kind: "ConfigMap", name, values: { text: "x" } })));
    if (headFiles(world).has("shop/extra.txt") === there) return undefined;
    return push(world, "More or less", { "shop/extra.txt": there ? text : null });
  },
  back,
  tune: (world, { app, steps, suspend }) =>
    edit(world, `Tune ${app}`, [{ kind: "Canary", name: app, values: { steps, suspend: suspend ? "yes" : "no" } }]),
  break: (world, { broken }) => {
    if (headFiles(world).has("shop/broken.txt") === broken) return undefined;
    return push(world, "Oops", { "shop/broken.txt": broken ? "what is this" : null });
  },
  merge: ({ hosted, time }, { style }) => {
    const pull = openPull(hosted.pulls());
    try {
      if (pull) hosted.merge(pull.number, style, time.nowMs);
    } catch {
      // A conflict: the button is grey.
    }
  },
  close: ({ hosted }, { by }) => {
    const pull = openPull(hosted.pulls());
    if (pull) hosted.close(pull.number, by);
  },
  approve: ({ hosted }) => {
    const pull = openPull(hosted.pulls());
    if (pull) hosted.review(pull.number, "ada", "approve");
  },
  deleteBranch: ({ source }) => {
    const branch = ourBranches(source.refs).at(-1);
    if (branch) source.move(branch, undefined);
  },
  pushToBranch: ({ source, time }) => {
    const branch = ourBranches(source.refs).at(-1);
    if (branch) source.commit({ "shop/theirs.md": "mine now" }, { branch: branch.slice("refs/heads/".length), atMs: time.nowMs });
  },
  deleteRevert: async ({ kube }) => {
    const revert = kube.objects(kinds.revert).at(-1);
    if (revert) await kube.delete(ref(kinds.revert, revert.metadata.name), {}, signal);
  },
  releaseRevert: async ({ kube }) => {
    const revert = kube.objects(kinds.revert).at(-1);
    const annotations = { [names.release]: "yes" };
    if (revert) await kube.patch(ref(kinds.revert, revert.metadata.name), { metadata: { annotations } }, byHand, signal);
  },
  metrics: ({ trouble }, { say }) => void Object.assign(trouble, { metrics: say }),
  outage: ({ trouble }, { of }) => void Object.assign(trouble, { git: of === "git", host: of === "host", kube: of === "kube" }),
  pods: ({ cluster, flapped }, { of, ready }) => {
    if (!ready) flapped.add(of);
    cluster.setReady(of, ready);
  },
  restart: ({ cluster, flapped }, { of }) => {
    flapped.add(of);
    cluster.restart(of);
  },
  delete: async ({ kube }, { kind, name }) => kube.delete(ref(deletable[kind], name), {}, signal),
  scale: async ({ kube }, { name, replicas }) => {
    const at = ref(kinds.deployment, name);
    const live = await kube.find(at, signal);
    // An autoscaler leaves alone what was scaled to zero.
    if (!live || (live["spec"] as { replicas?: number }).replicas === 0) return;
    await kube.patch(at, { spec: { replicas } }, { fieldManager: "horizontal-pod-autoscaler", subresource: "scale" }, signal);
  },
  suspendSync: async ({ kube }, { suspend }) => kube.patch(ref(kinds.sync, "shop"), { spec: { suspend } }, byHand, signal),
};

const kinds = {
  revert: { apiVersion, kind: "Revert" },
  sync: { apiVersion, kind: "Sync" },
  repository: { apiVersion, kind: "GitRepository" },
  deployment: { apiVersion: "apps/v1", kind: "Deployment" },
} as const;
const deletable: Readonly<Record<Extract<Move, { do: "delete" }>["kind"], KindRef>> = {
  Deployment: kinds.deployment,
  Service: { apiVersion: "v1", kind: "Service" },
  HTTPRoute: { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute" },
  ConfigMap: { apiVersion: "v1", kind: "ConfigMap" },
};

/** Makes a move. */
export async function make(world: CrashWorld, move: Exclude<Move, { do: "kill" | "relist" }>): Promise<void> {
  const deed = deeds[move.do] as Make<typeof move.do>;
  await deed(world, move as never);
}

/** Ends every outage and mends what people broke, so that everything can come to rest. */
export async function calm(world: CrashWorld): Promise<void> {
  const { cluster, trouble, shape } = { ...world, shape: world.schedule.shape };
  Object.assign(trouble, { metrics: "truth", git: false, host: false, kube: false });
  for (const app of apps) for (const name of [app, `${app}-primary`]) cluster.setReady(name, true);
  await make(world, { do: "break", broken: false });
  await make(world, { do: "suspendSync", suspend: false });
  for (const app of shape.apps) await edit(world, `Resume ${app}`, [{ kind: "Canary", name: app, values: { suspend: "no" } }]);
}

interface Edit {
  readonly kind: Sheet["kind"];
  readonly name: string;
  readonly values: Readonly<Record<string, string>>;
}

/** Files at the tip of the followed branch. */
export function headFiles({ source }: CrashWorld): Map<string, string> {
  return source.files(source.refs.get(main) ?? "");
}

/** What manifests say by file, of those that can be read. */
export function sheetsIn(files: ReadonlyMap<string, string>): Map<string, Sheet[]> {
  const readable = [...files].filter(([file]) => /^(shop|other)\/(?!broken).*\.txt$/.test(file));
  return new Map(readable.map(([file, text]) => [file, sheetsOf(text, file)]));
}

/** One commit that changes values of some manifests; none when they are like that already. */
async function edit(world: CrashWorld, message: string, edits: readonly Edit[]): Promise<void> {
  const changed: Record<string, string> = {};
  for (const [file, sheets] of sheetsIn(headFiles(world))) {
    const next = sheets.map((sheet) => {
      const own = edits.filter(({ kind, name }) => kind === sheet.kind && name === sheet.name);
      return { ...sheet, values: Object.assign({}, sheet.values, ...own.map(({ values }) => values)) as Sheet["values"] };
    });
    const [before, after] = [textOf(sheets), textOf(next)];
    if (before !== after) changed[file] = after;
  }
  if (Object.keys(changed).length > 0) await push(world, message, changed);
}

/** A push, and most often a webhook after it. */
async function push(world: CrashWorld, message: string, files: Readonly<Record<string, string | null>>): Promise<void> {
  const { source, kube, dice, time } = world;
  source.commit(files, { message, atMs: time.nowMs });
  if (dice.happens(0.25)) return;
  const annotations = { [names.requestedAt]: `${time.nowMs}-${kube.version()}` };
  await kube.patch(ref(kinds.repository, "apps"), { metadata: { annotations } }, { fieldManager: "serin-hooks" }, signal);
}

/** Undoes the newest commit that changed an app, as `git revert` would. */
async function back(world: CrashWorld, { app }: { readonly app: App }): Promise<void> {
  const { source, schedule } = world;
  const file = fileOf(schedule.shape, app);
  let oid = source.refs.get(main);
  const now = oid === undefined ? undefined : source.files(oid).get(file);
  while (oid !== undefined) {
    const [parent]: readonly string[] = readCommit(source.store, oid).parents;
    if (parent === undefined) return;
    const before = source.files(parent).get(file);
    if (before !== undefined && before !== now) return push(world, `Undo\n\nThis reverts commit ${oid}.`, { [file]: before });
    oid = parent;
  }
}

function openPull(pulls: readonly HostedPull[]): HostedPull | undefined {
  return pulls.findLast(({ state }) => state === "open");
}

/** Our branches, as refs. */
export function ourBranches(refs: ReadonlyMap<string, string>): string[] {
  return [...refs.keys()].filter((name) => name.startsWith("refs/heads/serin/revert/"));
}

function ref(kind: KindRef, name: string): KindRef & { namespace: string; name: string } {
  return { ...kind, namespace, name };
}

/** The Canary of an app as it is stored. */
export function canaryOf({ kube }: CrashWorld, app: string): KubeObject | undefined {
  return kube.objects({ apiVersion, kind: "Canary" }).find(({ metadata }) => metadata.name === app);
}
