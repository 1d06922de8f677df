import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { systemClock } from "../../lib/clock.ts";
import { isRecord } from "../../lib/json.ts";
import { kinds, pod as podSchema } from "../kinds.ts";
import type { RunningProgram } from "./images.ts";
import { processProgram } from "./process-program.ts";

/** A mount namespace is for root only; in CI we are root. */
const mayMount = spawnSync("unshare", ["--mount", "--uts", "true"]).status === 0;
if (!mayMount && process.env["CI"] === "true") throw new Error("unshare --mount must work in CI");

const dir = mkdtempSync(join(tmpdir(), "serin-process-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const image = {
  entrypoint: [process.execPath, "-e"],
  defaultArgs: ["process.exit(3)"],
  env: (ip: string) => ({ PATH: "/usr/bin:/bin", ADDRESS: ip }),
  needs: [dirname(process.execPath)],
  dir,
  mintToken: async (_: unknown, { audience }: { audience?: string | undefined }) => `token for ${audience ?? "the API server"}`,
};

interface Started {
  readonly running: RunningProgram;
  readonly exited: Promise<number>;
  readonly stop: () => void;
  readonly kill: () => void;
  readonly log: () => string;
}

/** Runs a program of the image; `args` is its text. */
async function start(name: string, args: string[] | undefined, container: object = {}, spec: object = {}): Promise<Started> {
  const pod = podSchema.parse({
    ...kinds.pod,
    metadata: { name, namespace: "shop" },
    spec: { containers: [{ name: "app", ...(args ? { args } : {}), ...container }], ...spec },
  });
  const [stopping, killed] = [new AbortController(), new AbortController()];
  const exited = Promise.withResolvers<number>();
  const files = new Map([["/etc/shop/app.yaml", "a: 1"], ["/etc/one.txt", "one"]]);
  const about = { pod, container: "app", image: "x:1", command: [], env: { OWN: "mine" }, files, ip: "10.244.0.9", clock: systemClock };
  const running = await processProgram(image)({ ...about, signal: stopping.signal, killed: killed.signal, exit: exited.resolve });
  return {
    running,
    exited: exited.promise,
    stop: () => stopping.abort(),
    kill: () => killed.abort(),
    log: () => readFileSync(join(dir, "shop", name, "app.log"), "utf8"),
  };
}

/** What the program printed as its last line. */
async function told(name: string, program: string, container: object = {}, spec: object = {}): Promise<Record<string, unknown>> {
  const { exited, running, log } = await start(name, [`console.log(JSON.stringify(${program}))`], container, spec);
  expect([await exited, log()]).toEqual([0, expect.any(String)]);
  await running.alone?.ended;
  const value: unknown = JSON.parse(log().trim().split("\n").at(-1) ?? "");
  return isRecord(value) ? value : {};
}

test.skipIf(!mayMount)("a container has its own variables and host name, and none of the node's variables", async () => {
  const seen = await told("web-1", "{ ...process.env, host: require('os').hostname() }");
  expect(seen).toMatchObject({ OWN: "mine", ADDRESS: "10.244.0.9", HOSTNAME: "web-1", host: "web-1", PATH: "/usr/bin:/bin" });
  expect(seen).not.toHaveProperty("VITEST");
});

test.skipIf(!mayMount)("it runs as the user it asks for, and on a read-only root it can write only where a volume is", async () => {
  const attempt = (path: string): string => `try { require('fs').writeFileSync('${path}', 'x'); return 'written'; } catch (e) { return e.code; }`;
  const write = (path: string): string => `(() => { ${attempt(path)} })()`;
  const paths = { root: "/x", usr: "/usr/x", tmp: "/tmp/own", cache: "/var/cache/shop/own" };
  const program = `{ uid: process.getuid(), ${Object.entries(paths).map(([key, path]) => `${key}: ${write(path)}`).join(", ")} }`;
  const volumes = [{ name: "tmp", emptyDir: {} }, { name: "cache", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } }];
  const volumeMounts = [{ name: "tmp", mountPath: "/tmp" }, { name: "cache", mountPath: "/var/cache/shop" }];
  const securityContext = { readOnlyRootFilesystem: true, runAsUser: 65_532 };
  const seen = await told("strict", program, { securityContext, volumeMounts }, { volumes });
  expect(seen).toEqual({ uid: 65_532, root: "EROFS", usr: "EROFS", tmp: "written", cache: "written" });
  expect(existsSync(join(dir, "shop/strict/volumes/tmp/own"))).toBe(true);
});

test.skipIf(!mayMount)("without that it may write anywhere, and the machine's own files stay as they are", async () => {
  await told("loose", "{ done: require('fs').writeFileSync('/etc/serin-was-here', '') }");
  expect(existsSync("/etc/serin-was-here")).toBe(false);
});

test.skipIf(!mayMount)("its token, ConfigMaps and pod fields are where Kubernetes puts them", async () => {
  const account = "/var/run/secrets/kubernetes.io/serviceaccount";
  const sources = [
    { serviceAccountToken: { path: "token" } },
    { serviceAccountToken: { path: "vault", audience: "vault" } },
    { downwardAPI: { items: [{ path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } }] } },
  ];
  const volumes = [
    { name: "account", projected: { sources } },
    { name: "settings", configMap: { name: "settings" } },
    { name: "one", configMap: { name: "one" } },
  ];
  const volumeMounts = [
    { name: "account", mountPath: account },
    { name: "settings", mountPath: "/etc/shop" },
    { name: "one", mountPath: "/etc/one.txt", subPath: "one.txt" },
  ];
  const read = (path: string): string => `require('fs').readFileSync('${path}', 'utf8')`;
  const files = { app: "/etc/shop/app.yaml", one: "/etc/one.txt" };
  const paths = { ...files, token: `${account}/token`, vault: `${account}/vault`, namespace: `${account}/namespace` };
  const program = `{ ${Object.entries(paths).map(([key, path]) => `${key}: ${read(path)}`).join(", ")} }`;
  expect(await told("mounted", program, { volumeMounts }, { volumes })).toEqual({
    token: "token for the API server",
    vault: "token for vault",
    namespace: "shop",
    app: "a: 1",
    one: "one",
  });
});

test.skipIf(!mayMount)("it hears SIGTERM when its pod stops and may finish; killed, it is gone at once", async () => {
  const polite = await start("polite", ["process.on('SIGTERM', () => process.exit(5)); console.log('up'); setInterval(() => {}, 1000)"]);
  await expect.poll(polite.log).toContain("up");
  polite.stop();
  expect(await polite.exited).toBe(5);
  const deaf = await start("deaf", ["process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)"]);
  await expect.poll(deaf.log).toContain("up");
  const pid = Number(readFileSync(join(dir, "shop/deaf/app.pid"), "utf8"));
  expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toContain("setInterval");
  deaf.stop();
  deaf.kill();
  expect(await deaf.exited).toBe(137);
  await deaf.running.alone?.ended;
  expect(existsSync(`/proc/${pid}`)).toBe(false);
});

test.skipIf(!mayMount)("the image's arguments are used when the container has none, and its exit code is the container's", async () => {
  const { exited } = await start("default", undefined);
  expect(await exited).toBe(3);
});

test("a volume of a kind that the node does not have keeps it from starting, and is named", async () => {
  const spec = { volumes: [{ name: "disk", persistentVolumeClaim: { claimName: "disk" } }] };
  const started = start("disk", ["1"], { volumeMounts: [{ name: "disk", mountPath: "/data" }] }, spec);
  await expect(started).rejects.toThrow("volume disk: this node knows emptyDir, configMap, secret and projected volumes only");
});
