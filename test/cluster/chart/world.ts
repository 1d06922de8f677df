import { execFile } from "node:child_process";
import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { type Facts, readFacts } from "../../../hack/control-plane/facts.ts";
import { kinds } from "../../../src/api/kinds.ts";
import { gitApi } from "../../e2e/git-api.ts";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "../../..");
/** All kinds of Serin, as kubectl takes them. */
export const ourKinds = kinds.map(({ plural }) => `${plural}.serin.dev`).join(",");

/** The machine of somebody who installs Serin: a checkout, the tools, and a control plane to install it on. */
export interface World {
  readonly facts: Facts;
  /** Folder in which commands are run: the checkout as far as they need it. */
  readonly checkout: string;
  readonly env: NodeJS.ProcessEnv;
  /** Runs kubectl as cluster administrator; returns what it prints. */
  kubectl(...args: string[]): Promise<string>;
  /** Runs the control plane's helm; returns what it prints. */
  helm(...args: string[]): Promise<string>;
  /** Runs one command as the reader would; returns what it prints. */
  sh(command: string): Promise<string>;
  /** As JSON. */
  get(...args: string[]): Promise<{ items: Item[] } & Item>;
  /** The reader's clone of their repository. */
  readonly clone: string;
  /** Writes files into the clone (`null` deletes), commits and pushes them. */
  push(message: string, files: Readonly<Record<string, string | null>>): Promise<void>;
  /** Makes an image of each of these versions. */
  build(...versions: string[]): Promise<void>;
  /** Makes the chart in the checkout one of this version. */
  release(version: string): void;
  /** Lines of the audit log from here on, each time those that were not read before. */
  audit(): string[];
  /** Prints what stands in the cluster and what the controllers logged, for whoever has to find out why a test failed. */
  tellState(): Promise<void>;
  /** Ends controllers, and takes away these namespaces with whatever in them waited for a controller. */
  clear(...namespaces: string[]): Promise<void>;
  close(): void;
}

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** An object, as loosely as a test looks at it. */
export interface Item {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly annotations?: Record<string, string>;
  };
  readonly spec: Record<string, never>;
  readonly status: Record<string, never>;
}

/** Opens the control plane that this process runs in. Throws outside of one. */
export async function openWorld(): Promise<World> {
  const facts = readFacts(process.env);
  if (!facts) throw new Error("this suite runs inside the control plane: npm run test:cluster -- chart");
  const dir = mkdtempSync(join(tmpdir(), "serin-chart-"));
  const checkout = join(dir, "checkout");
  mkdirSync(checkout);
  symlinkSync(join(root, "crds"), join(checkout, "crds"));
  const env = environment(facts, dir);
  const command = async (name: string, ...args: string[]): Promise<string> => {
    // No command here takes minutes: one that hangs is to be named, not the hook or test that waits for it.
    const { stdout } = await run(name, args, { env, cwd: checkout, maxBuffer: 1 << 26, timeout: 150_000 });
    return stdout;
  };
  const kubectl = async (...args: string[]): Promise<string> => await command("kubectl", ...args);
  const clone = join(dir, "apps");
  const git = async (...args: string[]): Promise<void> => void (await run("git", ["-C", clone, ...args], { env }));
  let read = statSync(facts.auditLog).size;
  return {
    facts,
    checkout,
    env,
    kubectl,
    helm: async (...args) => await command("helm", ...args),
    sh: async (text) => await command("sh", "-eu", "-c", text),
    get: async (...args) => JSON.parse(await kubectl("get", ...args, "--output", "json")) as { items: Item[] } & Item,
    clone,
    push: async (message, files) => {
      await git("pull", "--quiet");
      for (const [path, text] of Object.entries(files)) {
        rmSync(join(clone, path), { force: true });
        mkdirSync(dirname(join(clone, path)), { recursive: true });
        if (text !== null) writeFileSync(join(clone, path), text);
      }
      await git("add", "--all");
      await git("commit", "--quiet", "--message", message);
      await git("push", "--quiet");
    },
    build: async (...versions) => {
      const bundle = async (version: string): Promise<[string, string]> => {
        const out = join(dir, version);
        await run(process.execPath, [join(root, "hack/bundle.ts"), "--version-string", version, "--out", out], { timeout: 100_000 });
        return [version, join(out, "serin.mjs")];
      };
      const built = await Promise.all(versions.map(bundle));
      const images = JSON.parse(readFileSync(facts.controllerImages, "utf8")) as Record<string, string>;
      writeFileSync(facts.controllerImages, JSON.stringify({ ...images, ...Object.fromEntries(built) }));
    },
    release: (version) => {
      const chart = join(checkout, "charts/serin");
      rmSync(chart, { recursive: true, force: true });
      cpSync(join(root, "charts/serin"), chart, { recursive: true });
      const text = readFileSync(join(chart, "Chart.yaml"), "utf8");
      writeFileSync(join(chart, "Chart.yaml"), text.replace(/^((?:appV|v)ersion): .*$/gm, `$1: ${version}`));
    },
    audit: () => {
      const text = textFrom(facts.auditLog, read);
      // The last line may be half written.
      const whole = text.slice(0, text.lastIndexOf("\n") + 1);
      read += Buffer.byteLength(whole);
      return whole.split("\n").filter((line) => line !== "");
    },
    tellState: async () => {
      const print = async (...args: string[]): Promise<void> => {
        const running = run("kubectl", args, { env, cwd: checkout, maxBuffer: 1 << 26 });
        const { stdout, stderr } = await running.catch((error: unknown) => error as Output);
        process.stderr.write(`$ kubectl ${args.join(" ")}\n${stdout}${stderr}\n`);
      };
      const columns = "NAME:.metadata.name,DELETED:.metadata.deletionTimestamp,WHY:.status.conditions[?(@.type=='Terminating')].message";
      await print("get", "customresourcedefinitions", "--output", `custom-columns=${columns}`);
      await print("get", "pods,deployments,canaries,syncs,gitrepositories,reverts", "--all-namespaces");
      await print("get", "events", "--all-namespaces", "--sort-by=.lastTimestamp");
      for (const namespace of ["serin-system", "team"])
        await print("logs", "-n", namespace, "--selector=app.kubernetes.io/name=serin", "--prefix", "--tail=30");
    },
    clear: async (...namespaces) => {
      const remove = async (...args: string[]): Promise<string> => await kubectl("delete", "namespace", "--ignore-not-found", ...args);
      await remove("serin-system", "--timeout=60s");
      await remove(...namespaces, "--wait=false");
      const left = JSON.parse(await kubectl("get", ourKinds, "--all-namespaces", "--output=json")) as { items: Item[] };
      for (const { kind, metadata } of left.items.filter(({ metadata: { namespace = "" } }) => namespaces.includes(namespace)))
        await kubectl("-n", metadata.namespace ?? "", "patch", kind, metadata.name, "--type=merge", "--patch", '{"metadata":{"finalizers":null}}');
      await remove(...namespaces, "--timeout=60s");
    },
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}

function textFrom(file: string, from: number): string {
  const buffer = Buffer.alloc(statSync(file).size - from);
  const descriptor = openSync(file, "r");
  try {
    const bytes = readSync(descriptor, buffer, 0, buffer.length, from);
    return buffer.toString("utf8", 0, bytes);
  } finally {
    closeSync(descriptor);
  }
}

/** Nothing of the machine's own configuration, and git as Ada. */
function environment({ kubeconfig, bin, gitea }: Facts, dir: string): NodeJS.ProcessEnv {
  const { login, password } = gitea.accounts.person;
  const helper = join(dir, "credentials");
  writeFileSync(helper, `#!/bin/sh\necho username=${login}\necho password=${password}\n`, { mode: 0o700 });
  const settings = { "user.name": "Ada", "user.email": "ada@example.test", "credential.helper": helper };
  const pairs = Object.entries(settings).flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ]);
  return {
    PATH: `${bin}:${process.env["PATH"] ?? ""}`,
    HOME: dir,
    KUBECONFIG: kubeconfig,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_CONFIG_COUNT: String(Object.keys(settings).length),
    ...Object.fromEntries(pairs),
  };
}

/** Makes a repository on the control plane's Git host; returns its address. */
export async function makeRepository({ gitea }: Facts, name: string): Promise<string> {
  const { url, organization, accounts } = gitea;
  const body = { name, private: false, auto_init: false, default_branch: "main" };
  const { status } = await gitApi(url, accounts.person, "POST", `/orgs/${organization}/repos`, body);
  if (status !== 201) throw new Error(`repository ${name} was not made: ${status}`);
  return `${url}/${organization}/${name}`;
}
