import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { request } from "undici";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cacheFolder } from "../../../hack/control-plane/build.ts";

const root = resolve(import.meta.dirname, "../../..");
const main = join(root, "hack/control-plane/main.ts");
const startsWithinMs = 100_000;

/** Folder for the files of a run: whatever runs of it names a path in here. */
let dir = "";

beforeEach(() => {
  // A Unix socket's path may not be long.
  dir = mkdtempSync(join(tmpdir(), "cp-"));
});

afterEach(() => {
  for (const pid of leftovers()) process.kill(pid, "SIGKILL");
  rmSync(dir, { recursive: true, force: true });
});

/** Processes that have something to do with the run, beside this one. */
function leftovers(): number[] {
  const pids = readdirSync("/proc").map(Number).filter((pid) => pid > 0 && pid !== process.pid);
  return pids.filter((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`].some((file) => textOf(file).includes(dir)));
}

/** A process may end while we look; a zombie has neither arguments nor surroundings. */
function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

interface Run {
  readonly process: ChildProcess;
  readonly exit: Promise<number | null>;
  /** Everything it has said. */
  said(): string;
}

/** Starts a control plane beside the one that this suite runs in, as the leader of a process group like a terminal's. */
function cluster(args: readonly string[], { as = [], env = {} }: { as?: string[]; env?: Record<string, string> } = {}): Run {
  const [command = "", ...rest] = [...as, process.execPath, main, ...args];
  const child = spawn(command, rest, { detached: true, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, TMPDIR: dir, ...env } });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  return { process: child, exit: once(child, "close").then(([code]) => code as number | null), said: () => text };
}

async function until(run: Run, text: string | RegExp): Promise<void> {
  await expect.poll(() => run.said(), { timeout: startsWithinMs, interval: 100 }).toMatch(text);
}

/** Ctrl-C: the terminal sends it to everybody in the foreground. */
function interrupt({ process: { pid } }: Run): void {
  if (pid !== undefined) process.kill(-pid, "SIGINT");
}

async function expectNothingLeft(): Promise<void> {
  await expect.poll(() => leftovers(), { timeout: 15_000, interval: 100 }).toEqual([]);
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const answer = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  });
  socket.destroy();
  return answer;
}

async function statusOf(port: number, path: string): Promise<number> {
  const { statusCode, body } = await request(`http://127.0.0.1:${port}${path}`, { headers: { host: "shop.example" }, reset: true });
  await body.dump();
  return statusCode;
}

const labels = { app: "shop" };
const container = { name: "app", image: "serin.dev/shop:1", ports: [{ containerPort: 8080 }] };
const metadata = { name: "shop", namespace: "default" };
const shop = JSON.stringify({
  apiVersion: "v1",
  kind: "List",
  items: [
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers: [container] } } },
    },
    { apiVersion: "v1", kind: "Service", metadata, spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] } },
    {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata,
      spec: {
        parentRefs: [{ name: "public", namespace: "gateway" }],
        hostnames: ["shop.example"],
        rules: [{ backendRefs: [{ name: "shop", port: 80 }] }],
      },
    },
  ],
});

test("without a command everything is published until Ctrl-C, and then nothing is left of it", { timeout: 150_000 }, async () => {
  const run = cluster([]);
  await until(run, "stays up until Ctrl-C");
  const [, kubeconfig = ""] = /KUBECONFIG=(\S+)/.exec(run.said()) ?? [];
  const kubectl = (...args: string[]): string => execFileSync("kubectl", ["--kubeconfig", kubeconfig, ...args], { encoding: "utf8" });
  expect(kubectl("get", "nodes", "--output", "name")).toBe("node/one\n");
  execFileSync("kubectl", ["--kubeconfig", kubeconfig, "apply", "--filename", "-"], { input: shop });
  const ports = ["API server", "gateway", "Prometheus", "Gitea"].map((name) => {
    const [, port = ""] = new RegExp(`^${name} +https?://127\\.0\\.0\\.1:(\\d+)`, "m").exec(run.said()) ?? [];
    return Number(port);
  });
  const [, gateway = 0, prometheus = 0, gitea = 0] = ports;
  expect(await statusOf(prometheus, "/-/ready")).toBe(200);
  expect(await statusOf(gitea, "/api/healthz")).toBe(200);
  // Without a route nothing listens behind the gateway's port.
  await expect.poll(() => statusOf(gateway, "/").catch(() => 0), { timeout: 60_000, interval: 200 }).toBe(200);
  interrupt(run);
  expect(await run.exit).toBe(0);
  await expectNothingLeft();
  expect(readdirSync(dir)).toEqual([]);
  expect(await Promise.all(ports.map(isOpen))).toEqual([false, false, false, false]);
});

test("a command runs inside, may answer Ctrl-C itself, and its exit code is ours", { timeout: 150_000 }, async () => {
  const script = 'trap "kubectl get nodes --output name; exit 7" INT; echo "inside with $SERIN_CONTROL_PLANE"; while :; do sleep 0.1; done';
  const run = cluster(["--", "sh", "-c", script]);
  await until(run, /inside with \S+facts\.json/);
  interrupt(run);
  expect(await run.exit).toBe(7);
  expect(run.said()).toContain("node/one\n");
  await expectNothingLeft();
  expect(readdirSync(dir)).toEqual([]);
});

test("kill -9 takes everything with it", { timeout: 150_000 }, async () => {
  const run = cluster(["--", "sh", "-c", "echo inside; exec sleep 600"]);
  await until(run, /^inside$/m);
  expect(leftovers().length).toBeGreaterThan(9);
  run.process.kill("SIGKILL");
  await run.exit;
  await expectNothingLeft();
});

test("told to stop while it starts, it ends at once and leaves nothing", { timeout: 60_000 }, async () => {
  const run = cluster([]);
  await until(run, "starting etcd");
  await expect.poll(() => leftovers().length, { timeout: 30_000 }).toBeGreaterThan(4);
  run.process.kill("SIGTERM");
  expect(await run.exit).toBe(1);
  expect(run.said()).toContain("the control plane did not start: it was told to stop");
  await expectNothingLeft();
  expect(readdirSync(dir)).toEqual([]);
});

const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--"];
/** Who is root already tries it as somebody else, too; for anybody else this whole suite is the try. */
const canBeNobody = spawnSync(nobody[0] ?? "", [...nobody.slice(1), process.execPath, "--version"]).status === 0;

test.skipIf(!canBeNobody)("nobody needs to be root", { timeout: 180_000 }, async () => {
  chmodSync(dir, 0o777);
  execFileSync("sh", ["-c", 'cp -rl "$0" "$1" 2>/dev/null || cp -r "$0" "$1"', cacheFolder(process.env), join(dir, "serin")]);
  for (const entry of readdirSync(join(dir, "serin"))) if (entry.endsWith(".lock")) rmSync(join(dir, "serin", entry));
  const run = cluster(["--", "sh", "-c", "id --user; kubectl auth whoami --output name; kubectl get nodes --output name"], {
    as: nobody,
    env: { XDG_CACHE_HOME: dir, HOME: dir },
  });
  await run.exit;
  expect(run.said()).toContain("node/one\n");
  expect(run.process.exitCode).toBe(0);
  await expectNothingLeft();
});
