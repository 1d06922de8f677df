import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { apiVersion } from "../../../src/api/meta.ts";
import type { KubeObject } from "../../../src/api/object.ts";
import { accessesOf, compareRoles, type Grant, grantsOf } from "../../chart/rbac.ts";
import { gitApi } from "../../e2e/git-api.ts";
import { everything, made, otherRouter } from "./everything.ts";
import { openPage, type Page } from "./page.ts";
import { type Item, makeRepository, openWorld, ourKinds, type World } from "./world.ts";

const patience = { timeout: 60_000, interval: 250 };
const [firstVersion, nextVersion] = ["0.1.0", "0.1.1-next.1"];

/** What the audit log cannot show: an admission plugin that few clusters have would ask for it. */
const notAudited = ["update canaries/finalizers.serin.dev"];

/** docs/install.md, followed line by line with the real helm, and what must be true after each of its sections. */
describe("installing by docs/install.md", () => {
  let world: World;
  let page: Page;
  let repository = "";
  /** Of the audit log, while the controller worked in the whole cluster. */
  const lines: string[] = [];
  let ownRoles: Grant[] = [];

  const pods = async (namespace = "serin-system"): Promise<Item[]> =>
    (await world.get("pods", "-n", namespace, "-l", "app.kubernetes.io/name=serin")).items;
  const logOf = async ({ metadata: { name } }: Item, namespace = "serin-system"): Promise<string> =>
    world.kubectl("logs", "-n", namespace, name);
  /** Name of the pod that leads. */
  const leader = (namespace = "serin-system"): Promise<Item> =>
    vi.waitFor(async () => {
      const { spec } = await world.get("lease", "serin", "-n", namespace);
      const found = (await pods(namespace)).find(({ metadata }) => String(spec["holderIdentity"]).startsWith(`${metadata.name}_`));
      if (!found) throw new Error(`no pod of the release leads: ${JSON.stringify(spec)}`);
      return found;
    }, patience);
  /** The release's roles and bindings, without or only with the bindings that are for Syncs. */
  const grants = async (of: "own" | "syncs" = "own"): Promise<Grant[]> => {
    const { items } = await world.get("clusterroles,clusterrolebindings,roles,rolebindings", "-A", "-l", "app.kubernetes.io/part-of=serin");
    const objects = items as unknown as KubeObject[];
    const isForSyncs = ({ metadata }: KubeObject): boolean => metadata.name.startsWith("serin-sync");
    return grantsOf(objects.filter((object) => !object.kind.endsWith("Binding") || isForSyncs(object) === (of === "syncs")));
  };
  /** What Syncs have to be read by: the release's bindings for them, and the built-in ClusterRole `view` as it was put together. */
  const readOfSyncs = async (namespace?: string): Promise<Grant[]> => {
    const role = (await world.get("clusterrole", "view")) as unknown as KubeObject;
    const kind = namespace === undefined ? "ClusterRoleBinding" : "RoleBinding";
    const metadata = { name: "view", ...(namespace === undefined ? {} : { namespace }) };
    const view = { apiVersion: role.apiVersion, kind, metadata, roleRef: { kind: "ClusterRole", name: "view" } };
    return [...(await grants("syncs")), ...grantsOf([role, view])];
  };
  const apply = async (...objects: KubeObject[]): Promise<void> => {
    const file = join(world.checkout, "objects.json");
    writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
    await world.kubectl("apply", "--filename", file);
  };
  const names = async (kind: string, namespace: string): Promise<string[]> =>
    (await world.get(kind, "-n", namespace)).items.map(({ metadata }) => metadata.name);
  const condition = ({ status }: Item, wanted: string): { status: string; reason: string; message: string } | undefined => {
    const all = (status["conditions"] ?? []) as { type: string; status: string; reason: string; message: string }[];
    return all.find(({ type }) => type === wanted);
  };
  const shopAnswers = async (): Promise<number> => {
    const reply = await request(world.facts.gateway, { headers: { host: "shop.example" } });
    await reply.body.dump();
    return reply.statusCode;
  };
  const open = (repositoryUrl: string): Page => {
    const { gitea, prometheus, gateway } = world.facts;
    return openPage("docs/install.md", {
      dir: world.checkout,
      env: world.env,
      inPlaceOf: {
        "registry.example/serin": "serin.dev/controller",
        "http://prometheus.monitoring:9090": prometheus,
        "https://github.com/acme/apps": repositoryUrl,
        "kind: github": "kind: gitea",
        "an-access-token": gitea.accounts.serin.token,
        "http://gateway.example": gateway,
        "hooks.example": "localhost",
      },
    });
  };
  const git = async (method: "GET" | "POST", path: string, body?: object) => {
    const { url, accounts, organization } = world.facts.gitea;
    return gitApi(url, accounts.person, method, `/repos/${organization}/${repository}${path}`, body);
  };

  beforeAll(async () => {
    world = await openWorld();
    repository = `apps-${Date.now().toString(36)}`;
    page = open(await makeRepository(world.facts, repository));
    await world.build(firstVersion, nextVersion);
    world.release(firstVersion);
    // The control plane has our kinds for other suites: a cluster that Serin comes to has not. An API server that was never asked
    // for a kind cannot look whether it has instances, and takes its time to try again.
    await world.kubectl("get", ourKinds, "--all-namespaces");
    await world.kubectl("delete", "--filename", "crds/", "--ignore-not-found", "--timeout=60s").catch(async (error: unknown) => {
      await world.tellState();
      throw error;
    });
  }, 240_000);

  afterAll(async () => {
    await world.kubectl("apply", "--server-side", "--force-conflicts", "--filename", "crds/");
    await world.kubectl("wait", "--for=create", "--filename", "crds/", "--timeout=30s");
    await world.kubectl("wait", "--for=condition=Established", "--filename", "crds/", "--timeout=30s");
    await world.clear("shop", "everything", "team");
    world.close();
  });

  // Each section goes on from where the one before it came to.
  let stuck = false;
  beforeEach(({ skip }) => skip(stuck, "an earlier section did not come to its end"));
  afterEach(async ({ task }) => {
    if (task.result?.state !== "fail") return;
    stuck = true;
    await world.tellState();
  });

  test("Install: one replica leads, the other stands by, and both are ready", async () => {
    const printed = await page.follow("Install");
    expect(printed).toContain("lease.coordination.k8s.io/serin");
    const notes = await world.helm("get", "notes", "serin", "--namespace", "serin-system");
    const next = notes.split("\n").filter((line) => line.startsWith("  ")).map((line) => line.trim());
    expect(next).toHaveLength(3);
    for (const command of next) await world.sh(command);
    const { metadata } = await leader();
    const all = await pods();
    expect(all).toHaveLength(2);
    for (const pod of all) {
      const log = await logOf(pod);
      expect(log).toContain(`"version":"${firstVersion}"`);
      expect(log.includes('"msg":"leading"')).toBe(pod.metadata.name === metadata.name);
    }
  });

  test("The first repository: what is in Git runs", async () => {
    await page.follow("The first repository");
    await page.follow("The first repository");
    await page.follow("The first repository");
    const { metadata } = await world.get("deployment", "shop", "-n", "shop");
    expect(metadata.annotations?.["serin.dev/commit"]).toMatch(/^[0-9a-f]{40}/);
  });

  test("The first canary: a good release is promoted, a bad one goes back, and merging changes nothing", { timeout: 300_000 }, async () => {
    const runs = async (): Promise<string> => JSON.stringify((await world.get("deployment", "shop-primary", "-n", "shop")).spec);
    await page.follow("The first canary");
    const stop = page.begin("The first canary");
    try {
      await page.follow("The first canary");
      expect(await runs()).toContain("serin.dev/shop:2");
      const shown = await page.follow("The first canary");
      const [pull] = (await git("GET", "/pulls?state=open")).json as { number: number; html_url: string }[];
      expect(shown).toContain(pull?.html_url);
      expect((await git("POST", `/pulls/${pull?.number}/merge`, { Do: "merge" })).status).toBe(200);
      await world.kubectl("-n", "shop", "wait", "revert", "--all", "--for=jsonpath={.status.phase}=Merged", "--timeout=60s");
      expect(await runs()).toContain("serin.dev/shop:2");
      expect(await shopAnswers()).toBe(200);
    } finally {
      await stop();
    }
  });

  test("Webhooks: the Git host tells of a push, signed, by way of the gateway", async () => {
    await page.follow("Webhooks");
    const url = `${world.facts.gateway.replace("127.0.0.1", "localhost")}/hooks/shop/apps`;
    // Until the gateway knows the route it says 404; then the controller refuses what is not signed.
    await vi.waitFor(async () => {
      const reply = await request(url, { method: "POST", body: "{}" });
      await reply.body.dump();
      expect(reply.statusCode).toBe(400);
    }, patience);
    const hook = { type: "gitea", active: true, events: ["push"], config: { url, content_type: "json", secret: "a-long-random-word" } };
    expect((await git("POST", "/hooks", hook)).status).toBe(201);
    const pushedAtMs = Date.now();
    await world.push("Say what is here", { "README.md": "What runs in the shop.\n" });
    await vi.waitFor(async () => {
      const { metadata } = await world.get("gitrepository", "apps", "-n", "shop");
      expect(Date.parse(metadata.annotations?.["serin.dev/requestedAt"] ?? "")).toBeGreaterThanOrEqual(pushedAtMs);
    }, patience);
  });

  const config = (name: string): string =>
    JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "shop" }, data: { colour: "blue" } });
  const shopConfigs = (): Promise<string[]> => names("configmaps", "shop");
  const sync = (name: string, spec: object): KubeObject => ({
    apiVersion,
    kind: "Sync",
    metadata: { name, namespace: "shop" },
    spec: { sourceRef: { name: "apps" }, interval: "10s", prune: true, ...spec },
  });

  test("Each Sync as a ServiceAccount of its own: it writes as that one, and one that names none can write nothing", async () => {
    await page.follow("Each Sync as a ServiceAccount of its own");
    await world.kubectl("-n", "serin-system", "rollout", "status", "deployment/serin", "--timeout=2m");
    await world.push("Add configs", {
      "apps/lasting.yaml": config("lasting"),
      "apps/passing.yaml": config("passing"),
      "more/config.yaml": config("refused"),
    });
    await apply(sync("nobody", { path: "./more" }), sync("impostor", { path: "./more", serviceAccountName: "default" }));
    await vi.waitFor(async () => expect(await shopConfigs()).toEqual(expect.arrayContaining(["lasting", "passing"])), patience);
    for (const name of ["nobody", "impostor"]) {
      await vi.waitFor(async () => {
        const ready = condition(await world.get("sync", name, "-n", "shop"), "Ready");
        expect([ready?.status, ready?.message]).toEqual(["False", expect.stringMatching(/forbidden/)]);
      }, patience);
    }
    expect(await shopConfigs()).not.toContain("refused");
    await world.kubectl("-n", "shop", "delete", "sync", "nobody", "impostor", "--timeout=60s");
  });

  test("everything that a Canary makes comes and goes, and whatever cannot go on says so", { timeout: 180_000 }, async () => {
    await apply(...everything(), sync("pathless", { path: "./none", serviceAccountName: "deployer" }));
    const drift = async (): Promise<void> => {
      await world.kubectl("-n", "shop", "patch", "configmap", "lasting", "--patch", '{"data":{"colour":"red"}}');
      await world.kubectl("-n", "shop", "wait", "configmap/lasting", "--for=jsonpath={.data.colour}=blue", "--timeout=30s");
    };
    // The same twice: the second is counted in the first one's event, half a minute later.
    await drift();
    await drift();
    await world.push("Remove a config", { "apps/passing.yaml": null });
    const wait = (...args: string[]): Promise<string> => world.kubectl("-n", "everything", "wait", "--timeout=90s", ...args);
    await wait("canary/web", "canary/api", "--for=jsonpath={.status.phase}=Initialized");
    for (const [kind, name] of made) expect(await names(kind, "everything")).toContain(name);
    await wait("canary/nowhere", "metrictemplate/unreadable", "--for=condition=Stalled");
    await world.kubectl("-n", "shop", "wait", "sync/pathless", "--for=condition=Stalled", "--timeout=60s");
    await world.kubectl("-n", "everything", "patch", "canary", "api", "--type=merge", "--patch", JSON.stringify(otherRouter));
    // The one that waits for a target of its own would take over what the others leave.
    await world.kubectl("-n", "everything", "delete", "canary", "nowhere", "web", "api", "--timeout=90s");
    // What belongs to a Canary goes with it, some of it by the garbage collector a moment later.
    await vi.waitFor(async () => {
      for (const [kind, name] of made) expect(await names(kind, "everything")).not.toContain(name);
    }, patience);
    await vi.waitFor(async () => expect(await shopConfigs()).not.toContain("passing"), patience);
    await world.kubectl("-n", "shop", "delete", "sync", "pathless", "--timeout=60s");
  });

  test("a version that failed is held when it comes back, and a Revert that is over can be deleted", async () => {
    const file = "apps/shop.yaml";
    const good = readFileSync(join(world.clone, file), "utf8");
    const revision = async (): Promise<string> => String((await world.get("sync", "apps", "-n", "shop")).status["revision"]);
    await world.push("Release the bad shop once more", { [file]: good.replace("shop:2", "shop:bad") });
    await vi.waitFor(async () => expect(await revision()).toMatch(/ holding shop$/), patience);
    await world.push("Take it back", { [file]: good });
    await vi.waitFor(async () => expect(await revision()).not.toContain("holding"), patience);
    await world.kubectl("-n", "shop", "delete", "revert", "--all", "--timeout=60s");
  });

  test("Upgrade: the next version takes over, and no app is restarted", async () => {
    const appPods = async (): Promise<string[]> => (await world.get("pods", "-n", "shop")).items.map(({ metadata }) => metadata.uid).sort();
    const before = await appPods();
    world.release(nextVersion);
    await page.follow("Upgrade");
    const log = await logOf(await leader());
    expect(log).toContain(`"version":"${nextVersion}"`);
    const { spec } = await world.get("deployment", "serin", "-n", "serin-system");
    // Values that were set before are kept.
    expect(JSON.stringify(spec)).toContain(`{"name":"SERIN_CLUSTER_NAME","value":"prod-eu"}`);
    expect(await appPods()).toEqual(before);
  });

  test("the roles are exact: nothing was done that they do not grant, and they grant nothing that was not done", async () => {
    const user = "system:serviceaccount:serin-system:serin";
    ownRoles = await grants();
    const others = await readOfSyncs();
    await vi.waitFor(() => {
      lines.push(...world.audit());
      expect(compareRoles(accessesOf(lines, user), ownRoles, others)).toEqual({ missing: [], unused: notAudited });
    }, { timeout: 45_000, interval: 1_000 });
    expect(lines.length).toBeGreaterThan(100);
  });

  test("Uninstall: apps, traffic, Canaries and CustomResourceDefinitions stay, and installing again goes on", async () => {
    await page.follow("Uninstall");
    await vi.waitFor(async () => expect(await pods()).toEqual([]), patience);
    expect(await names("canaries", "shop")).toEqual(["shop"]);
    expect(await names("syncs", "shop")).toEqual(["apps"]);
    expect(await shopAnswers()).toBe(200);
    expect([await grants(), await grants("syncs")]).toEqual([[], []]);
    await open(`${world.facts.gitea.url}/${world.facts.gitea.organization}/${repository}`).follow("Install");
    await leader();
    await world.push("Add another config", { "apps/another.yaml": config("another") });
    await vi.waitFor(async () => expect(await shopConfigs()).toContain("another"), patience);
  });

  test("In some namespaces only: rights end at the namespace, and Syncs and Canaries in it go on", async () => {
    const printed = await page.follow("In some namespaces only");
    expect(printed).toContain("role.rbac.authorization.k8s.io/serin");
    await world.kubectl("-n", "serin-system", "rollout", "status", "deployment/serin", "--timeout=2m");
    await leader();
    world.audit();
    await world.push("Add one more config", { "apps/one-more.yaml": config("one-more") });
    await vi.waitFor(async () => expect(await shopConfigs()).toContain("one-more"), patience);
    const asSerin = ["-n", "default", "--as=system:serviceaccount:serin-system:serin"];
    await expect(world.kubectl("auth", "can-i", "list", "secrets", ...asSerin)).rejects.toThrow(/^Command failed/);
    const accesses = accessesOf(world.audit(), "system:serviceaccount:serin-system:serin");
    expect(accesses.length).toBeGreaterThan(5);
    expect(compareRoles(accesses, await grants(), await readOfSyncs("shop")).missing).toEqual([]);
    expect(await logOf(await leader())).not.toContain("forbidden");
  });

  test("Uninstall without a trace: replicas and traffic are given back, nothing of Serin is left", { timeout: 240_000 }, async () => {
    await page.follow("Uninstall");
    const { spec, status } = await world.get("deployment", "shop", "-n", "shop");
    expect([spec["replicas"], status["readyReplicas"]]).toEqual([2, 2]);
    expect(await names("deployments", "shop")).toEqual(["shop"]);
    expect(await shopAnswers()).toBe(200);
    expect((await world.get("crds")).items.filter(({ metadata }) => /^[a-z]+\.serin\.dev$/.test(metadata.name))).toEqual([]);
  });

  test("Without cluster-admin: who is admin of a namespace installs and runs it there", async () => {
    await world.kubectl("create", "namespace", "team");
    await page.follow("Without cluster-admin");
    await world.kubectl("-n", "team", "create", "serviceaccount", "lead");
    await world.kubectl("-n", "team", "create", "rolebinding", "lead", "--clusterrole=admin", "--serviceaccount=team:lead");
    const token = (await world.kubectl("-n", "team", "create", "token", "lead")).trim();
    const config = JSON.parse(readFileSync(world.facts.kubeconfig, "utf8")) as { users: { user: object }[] };
    const file = join(world.checkout, "kubeconfig-lead");
    writeFileSync(file, JSON.stringify({ ...config, users: config.users.map((one) => ({ ...one, user: { token } })) }));
    await page.follow("Without cluster-admin", { ...world.env, KUBECONFIG: file });
    await world.kubectl("-n", "team", "rollout", "status", "deployment/serin", "--timeout=2m");
    const first = await leader("team");
    const provider = { type: "prometheus", address: world.facts.prometheus };
    await apply({ apiVersion, kind: "MetricTemplate", metadata: { name: "up", namespace: "team" }, spec: { provider, query: "up" } });
    await world.kubectl("-n", "team", "wait", "metrictemplate/up", "--for=condition=Ready", "--timeout=60s");
    expect(await logOf(first, "team")).not.toContain("forbidden");
  });

  test("Registries and clusters without internet: the chart is one file, and the image is named by digest", async () => {
    world.release(firstVersion);
    expect(await page.follow("Registries and clusters without internet")).toMatch(/image: mirror\.example\/serin@sha256:[0-9a-f]{64}/);
  });

  test("nothing on the page was left out but the image, which needs Docker, and an ingress-nginx", () => {
    expect(page.left()).toEqual(["The image", "With ingress-nginx"]);
    expect(page.unused()).toEqual([]);
  });
});
