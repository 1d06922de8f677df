import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { messageOf } from "../../src/lib/errors.ts";
import type { BundleName } from "./recipe.ts";
import { recipes, versions } from "./recipe.ts";

const run = promisify(execFile);

/** Something that must be on the machine, and how it gets there. */
interface Tool {
  readonly name: string;
  /** Fails when the tool is missing or of no use. */
  readonly check: () => Promise<unknown>;
  readonly install: string;
}

const debian = (...packages: string[]): string => `apt-get install ${packages.join(" ")}`;

function exists(command: string, ...args: string[]): () => Promise<unknown> {
  return async () => await run(command, args);
}

/** What every run needs. */
function toRun(): Tool[] {
  return [
    { name: "ip", check: exists("ip", "-Version"), install: debian("iproute2") },
    { name: "unshare (2.38 or newer)", check: mapsUsers, install: debian("util-linux") },
    { name: "setpriv", check: exists("setpriv", "--version"), install: debian("util-linux") },
    { name: "prometheus", check: exists("prometheus", "--version"), install: debian("--no-install-recommends", "prometheus") },
    { name: "git", check: exists("git", "--version"), install: debian("git") },
  ];
}

/** What is needed to build what is missing. */
function toBuild(missing: readonly BundleName[]): Tool[] {
  const uses = (how: "go" | "python"): boolean => missing.some((name) => recipes[name].from === how);
  const needsC = missing.some((name) => "cgo" in recipes[name] && recipes[name].cgo);
  const go = { name: `Go ${versions.go} or newer`, check: newEnoughGo, install: `${debian("golang-go")}, or https://go.dev/dl` };
  const pip = { name: "Python with pip", check: exists("python3", "-m", "pip", "--version"), install: debian("python3-pip") };
  const compiler = { name: "a C compiler", check: exists("cc", "--version"), install: debian("gcc", "libc6-dev") };
  const flock = { name: "flock", check: exists("flock", "--version"), install: debian("util-linux") };
  return [
    ...(uses("go") ? [go] : []),
    ...(uses("python") ? [pip] : []),
    ...(needsC ? [compiler] : []),
    ...(missing.length > 0 ? [flock] : []),
  ];
}

/** Throws one error that names every missing tool with the command that brings it. */
export async function requireTools(missing: readonly BundleName[], { buildOnly }: { buildOnly: boolean }): Promise<void> {
  const tools = [...(buildOnly ? [] : toRun()), ...toBuild(missing)];
  const problems = await Promise.all(tools.map(async ({ name, check, install }) => {
    try {
      await check();
      return [];
    } catch (error) {
      return [`${name} is missing or does not work (${messageOf(error).split("\n")[0]}). Get it: ${install}`];
    }
  }));
  if (problems.flat().length > 0) throw new Error(`the control plane needs more tools:\n  ${problems.flat().join("\n  ")}`);
}

async function newEnoughGo(): Promise<void> {
  const { stdout } = await run("go", ["env", "GOVERSION"]);
  const [major = 0, minor = 0, patch = 0] = stdout.trim().replace(/^go/, "").split(".").map(Number);
  const [wantedMajor = 0, wantedMinor = 0, wantedPatch = 0] = versions.go.split(".").map(Number);
  const isOlder = major - wantedMajor || minor - wantedMinor || patch - wantedPatch;
  if (isOlder < 0) throw new Error(`this is ${stdout.trim()}`);
}

/** A namespace of our own, and one within it for Gitea: what the machine must let us have. */
async function mapsUsers(): Promise<void> {
  const inner = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "true"];
  const [command = "", ...args] = namespaceCommand(inner);
  await run(command, args);
}

/** The command that runs another in namespaces of its own. When the caller ends, however it ends, so does everything inside. */
export function namespaceCommand(command: readonly string[]): string[] {
  const rights = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  const namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  return ["setpriv", "--pdeathsig", "KILL", "unshare", ...rights, ...namespaces, "--", ...command];
}
