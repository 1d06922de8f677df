import { execFileSync } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { auditPolicy, contourConfig, giteaConfig, kubeconfig, prometheusConfig, systemUsers, tokensFile, userName } from "./configs.ts";
import { addresses, type Layout, type Settings } from "./layout.ts";

/** Tokens by user; `admin` is the user's own way in. */
export type Tokens = Readonly<Record<string, string>>;

/** Writes everything that the parts read when they start, but for the kubeconfigs, which need the API server's certificate. */
export function writeFiles(settings: Settings, layout: Layout): Tokens {
  for (const folder of [layout.bin, layout.logs, layout.users, layout.prometheus, layout.gitea, layout.pods]) mkdirSync(folder);
  for (const { bin } of Object.values(settings.bundles)) {
    for (const name of readdirSync(bin)) symlinkSync(join(bin, name), join(layout.bin, name));
  }
  const tokens = Object.fromEntries(["admin", ...systemUsers.map(userName)].map((user) => [user, newToken()]));
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const files: readonly [path: string, content: string | Buffer | object][] = [
    [layout.tokens, tokensFile(tokens)],
    [layout.serviceAccountKey, privateKey.export({ type: "pkcs1", format: "pem" })],
    [layout.auditPolicy, auditPolicy()],
    [layout.auditLog, ""],
    [layout.contour, contourConfig()],
    [layout.prometheusConfig, prometheusConfig({ scrapeIntervalMs: settings.scrapeIntervalMs, podTargets: layout.podTargets })],
    [layout.podTargets, []],
    [layout.giteaConfig, giteaIni(settings, layout)],
    [layout.controllerImages, controllerImages(settings)],
  ];
  for (const [path, content] of files) {
    const text = typeof content === "string" || Buffer.isBuffer(content) ? content : `${JSON.stringify(content, undefined, 2)}\n`;
    writeFileSync(path, text, { mode: 0o600 });
  }
  execFileSync(join(layout.bin, "contour"), [
    "bootstrap",
    layout.envoy,
    "--xds-address=127.0.0.1",
    `--xds-port=${addresses.contourXdsPort}`,
    `--admin-address=${layout.envoyAdmin}`,
  ], { stdio: "pipe" });
  return tokens;
}

function giteaIni(settings: Settings, layout: Layout): string {
  const share = settings.bundles.gitea.share;
  return giteaConfig({ dir: layout.gitea, share, port: settings.giteaPort, secrets: [newToken(), newToken()] });
}

/** The bundle of this checkout under its own version, so that the chart's default image is known. */
function controllerImages({ root }: Settings): object {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  return { [version]: join(root, "dist", "serin.mjs") };
}

/** Writes the kubeconfigs, as soon as the API server has made its certificate. */
export function writeKubeconfigs(layout: Layout, tokens: Tokens): void {
  const certificate = readFileSync(layout.certificate, "utf8");
  const write = (path: string, token = ""): void => {
    writeFileSync(path, kubeconfig({ server: addresses.apiServer, token, certificate }), { mode: 0o600 });
  };
  write(layout.kubeconfig, tokens["admin"]);
  for (const user of systemUsers) write(layout.kubeconfigOf(user), tokens[userName(user)]);
}

function newToken(): string {
  return randomBytes(24).toString("base64url");
}
