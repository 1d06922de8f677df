import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { request } from "undici";
import { afterEach, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { platformObjects } from "../../src/sandbox/gateway/platform.ts";
import { giteaConfig } from "../../hack/control-plane/configs.ts";
import { versions } from "../../hack/control-plane/recipe.ts";
import { freePort } from "../../hack/control-plane/relay.ts";
import type { KubeObject } from "../../src/api/object.ts";

const folder = resolve(import.meta.dirname, "../../hack/kind");
const text = (file: string): string => readFileSync(join(folder, file), "utf8");
const objects = (file: string): KubeObject[] => parseAllDocuments(text(file)).map((document) => document.toJS() as KubeObject);
const scripts = readdirSync(folder).filter((file) => file.endsWith(".sh"));

test("kind gets the versions that the control plane is built from", () => {
  const { devDependencies } = JSON.parse(readFileSync(resolve(folder, "../../package.json"), "utf8")) as { devDependencies: { node: string } };
  expect(text("versions.sh")).toContain(`\ncontour=${versions.contour}\n`);
  expect(text("versions.sh")).toContain(`\nnode_image=kindest/node:v${versions.kubernetes.replace(/\.\d+$/, "")}.`);
  expect(text("gitea.yaml")).toContain(`image: docker.io/gitea/gitea:${versions.gitea}-rootless`);
  expect(text("Dockerfile")).toContain(`ARG NODE_IMAGE=node:${devDependencies.node}-bookworm-slim`);
});

test("kind has the same gateway, and Contour is told so", () => {
  const [configMap, ...others] = objects("gateway.yaml").toReversed();
  expect(others.toReversed()).toEqual(platformObjects());
  expect(configMap).toMatchObject({ kind: "ConfigMap", data: { "contour.yaml": expect.stringContaining("namespace: gateway, name: public") } });
});

/** Settings that are where they are because of the machine, not because of what Gitea shall do. */
const local = new Set([
  "APP_NAME", "WORK_PATH", "PATH", "HTTP_ADDR", "HTTP_PORT", "ROOT_URL", "STATIC_ROOT_PATH",
  "SECRET_KEY", "INTERNAL_TOKEN", "MODE", "QUEUE_LENGTH",
]);

test("kind's Gitea is set as the control plane's", () => {
  const deployment = objects("gitea.yaml").find(({ kind }) => kind === "Deployment");
  const { template } = (deployment as unknown as { spec: { template: { spec: { containers: { env: { name: string; value: string }[] }[] } } } }).spec;
  const decoded = (part: string): string => part.replaceAll("_0X2E_", ".").replaceAll("_0X2D_", "-");
  const given = (template.spec.containers[0]?.env ?? []).map(({ name, value }) => {
    const [, section = "", key = ""] = name.split("__");
    return `${decoded(section)} ${key} = ${value}`;
  });
  let section = "";
  const wanted = giteaConfig({ dir: "", share: "", port: 3000, secrets: ["", ""] }).split("\n").flatMap((line) => {
    section = /^\[(.+)\]$/.exec(line)?.[1] ?? section;
    return line.includes(" = ") ? [`${section} ${line}`] : [];
  });
  const common = (lines: readonly string[]): string[] => lines.filter((line) => !local.has(line.split(" ")[1] ?? "")).sort();
  expect(common(given)).toEqual(common(wanted));
});

test.each(scripts)("%s is a script that bash can read", (file) => {
  expect(execFileSync("bash", ["-n", join(folder, file)], { encoding: "utf8" })).toBe("");
});

/** Nothing else needs it, so not even CI must have it. */
const hasShellcheck = spawnSync("shellcheck", ["--version"]).status === 0;

test.skipIf(!hasShellcheck)("shellcheck has nothing to say", () => {
  expect(execFileSync("shellcheck", ["--external-sources", ...scripts], { cwd: folder, encoding: "utf8" })).toBe("");
});

let shop: ChildProcess | undefined;
afterEach(() => void shop?.kill("SIGKILL"));

test("the shop's image does what its tag says, and goes on for a while when it is told to stop", async () => {
  const port = await freePort(0);
  const env = { ...process.env, SHOP_IMAGE: "serin.dev/shop:bad-2", PORT: String(port) };
  shop = spawn(process.execPath, [join(folder, "shop.ts")], { env, stdio: "inherit" });
  const exit = once(shop, "exit");
  const ask = async (path: string): Promise<{ status: number; version: unknown }> => {
    const { statusCode, headers, body } = await request(`http://127.0.0.1:${port}${path}`, { reset: true });
    await body.dump();
    return { status: statusCode, version: headers["x-version"] };
  };
  await expect.poll(() => ask("/readyz").catch(() => undefined), { timeout: 20_000 }).toMatchObject({ status: 200 });
  expect(await ask("/")).toEqual({ status: 500, version: "bad-2" });
  shop.kill("SIGTERM");
  expect(await ask("/version")).toEqual({ status: 500, version: "bad-2" });
  expect((await exit)[0]).toBe(0);
});
