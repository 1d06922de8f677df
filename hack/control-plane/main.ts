// npm run cluster: a real control plane without containers, in a network namespace of its own. See docs/cluster.md.
import { spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, join, resolve } from "node:path";
import { messageOf } from "../../src/lib/errors.ts";
import { type Options, parseOptions, usage } from "./options.ts";
import { buildMissing, bundlesIn, cacheFolder, missingBundles } from "./build.ts";
import { kubeconfig } from "./configs.ts";
import { type Facts, readFacts } from "./facts.ts";
import { type Layout, layoutOf, type Settings } from "./layout.ts";
import { freePort, type Relayed, relayed, startHostRelay } from "./relay.ts";
import { namespaceCommand, requireTools } from "./tools.ts";

const root = resolve(import.meta.dirname, "../..");
/** Ports on the host, if they are free. */
const wishedPorts: Readonly<Record<Exclude<Relayed, "gitea">, number>> = { apiServer: 6443, gateway: 8080, prometheus: 9090 };
const wishedGiteaPort = 3000;

async function main(options: Options): Promise<number> {
  if (process.platform !== "linux") throw new Error("the control plane needs Linux; hack/kind brings the same up with Docker");
  const cache = cacheFolder(process.env);
  await requireTools(missingBundles(cache), options);
  await buildMissing(cache, tell);
  if (options.buildOnly) return 0;
  const dir = mkdtempSync(join(tmpdir(), "serin-cluster-"));
  try {
    const settings: Settings = {
      dir,
      root,
      bundles: bundlesIn(cache),
      prometheus: pathOf("prometheus"),
      scrapeIntervalMs: options.scrapeIntervalMs,
      giteaPort: await freePort(wishedGiteaPort),
      command: [...options.command],
    };
    const code = await run(settings, layoutOf(dir));
    // A person leaves a shell with whatever their last command gave; npm would call that a failure.
    return process.stdin.isTTY && isShell(options.command) ? 0 : code;
  } finally {
    if (options.keep) tell(`kept ${dir}`);
    else rmSync(dir, { recursive: true, force: true });
  }
}

function isShell([command = "", ...args]: readonly string[]): boolean {
  return args.length === 0 && /^(?:ba|da|z|k|fi)?sh$/.test(basename(command));
}

/** Runs a control plane from start to end. @returns the command's exit code */
async function run(settings: Settings, layout: Layout): Promise<number> {
  writeFileSync(layout.settings, JSON.stringify(settings), { mode: 0o600 });
  const [command = "", ...args] = namespaceCommand([process.execPath, join(import.meta.dirname, "inside.ts"), layout.settings]);
  tell("starting etcd, kube-apiserver, kube-controller-manager, Contour, Envoy, Prometheus, Gitea and a node");
  const inside = spawn(command, args, { stdio: ["inherit", "inherit", "inherit", "ipc"] });
  const stop = (): void => {
    // Before anything listens inside, the only way is to end it.
    if (!inside.send("stop", () => {})) inside.kill("SIGKILL");
    setTimeout(() => inside.kill("SIGKILL"), 8_000).unref();
  };
  // With a command, the first Ctrl-C is the command's own; the second ends everything.
  let interrupts = settings.command.length > 0 ? 0 : 1;
  process.on("SIGINT", () => void (interrupts++ > 0 && stop()));
  process.on("SIGTERM", stop);
  process.on("SIGHUP", stop);
  if (process.env["npm_lifecycle_event"] !== undefined) whenOrphaned(stop);
  const unpublished = (error: unknown): void => {
    tell(messageOf(error));
    stop();
  };
  inside.on("message", () => void publish(settings, layout).catch(unpublished));
  return await new Promise<number>((resolve, reject) => {
    inside.once("error", reject);
    inside.once("exit", (code) => resolve(code ?? 1));
  });
}

/** npm passes signals on, all but SIGKILL: then nobody would be left to press Ctrl-C. */
function whenOrphaned(stop: () => void): void {
  const parent = process.ppid;
  const look = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(look);
    stop();
  }, 500);
  look.unref();
}

/** Opens the relays and says how to use what is there. */
async function publish(settings: Settings, layout: Layout): Promise<void> {
  const ports = {} as Record<Relayed, number>;
  const wished = { ...wishedPorts, gitea: settings.giteaPort };
  for (const name of relayed) ports[name] = await startHostRelay(layout.relay(name), wished[name]);
  if (ports.gitea !== wished.gitea) throw new Error(`port ${wished.gitea} was taken while the control plane started; start it again`);
  const facts = readFacts({ SERIN_CONTROL_PLANE: layout.facts });
  if (!facts) throw new Error("the control plane says nothing of itself");
  const file = join(settings.dir, "kubeconfig-host");
  writeFileSync(file, hostKubeconfig(facts, layout, ports.apiServer), { mode: 0o600 });
  process.stdout.write(`${welcome(facts, file, ports).join("\n")}\n`);
}

function hostKubeconfig({ kubeconfig: inside }: Facts, layout: Layout, port: number): string {
  const parsed = JSON.parse(readFileSync(inside, "utf8")) as { users: { user: { token: string } }[] };
  const token = parsed.users[0]?.user.token ?? "";
  const certificate = readFileSync(layout.certificate, "utf8");
  // The certificate names localhost and the address inside, but not 127.0.0.1.
  return kubeconfig({ server: `https://127.0.0.1:${port}`, token, certificate, serverName: "localhost" });
}

function welcome(facts: Facts, file: string, ports: Readonly<Record<Relayed, number>>): string[] {
  const { person, serin } = facts.gitea.accounts;
  return [
    "",
    `export KUBECONFIG=${file} PATH=${facts.bin}:$PATH`,
    "",
    `API server   https://127.0.0.1:${ports.apiServer}`,
    `gateway      http://127.0.0.1:${ports.gateway}  (routes are told apart by the Host header; inside it is ${facts.gateway})`,
    `Prometheus   http://127.0.0.1:${ports.prometheus}  (inside ${facts.prometheus})`,
    `Gitea        ${facts.gitea.url}/${facts.gitea.organization}  (the same inside)`,
    `  a person   ${person.login}, password ${person.password}`,
    `  Serin      ${serin.login}, token ${serin.token}`,
    `all of it    ${join(facts.dir, "facts.json")}, logs beside it`,
    "",
    "stays up until Ctrl-C, and leaves nothing behind",
  ];
}

function pathOf(command: string): string {
  const found = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, command)).find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error(`${command} is not on PATH`);
  return found;
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

let code = 1;
try {
  const options = parseOptions(process.argv.slice(2));
  if (options) code = await main(options);
  else {
    process.stdout.write(usage);
    code = 0;
  }
} catch (error) {
  tell(`cluster: ${messageOf(error)}`);
}
process.exit(code);
