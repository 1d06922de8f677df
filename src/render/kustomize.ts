import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { StalledError } from "../lib/errors.ts";
import { hashJson } from "../lib/json.ts";
import { type Closure, closureOf } from "./closure.ts";
import { buildFailed, readRendering } from "./manifest.ts";
import { describePath, parentPath } from "./path.ts";
import { isKustomization } from "./plain.ts";
import type { Renderer } from "./renderer.ts";

/** Where kustomize is and how much it may use. */
export interface KustomizeOptions {
  /** Folders in which the binary is looked for, as in the environment's PATH. */
  readonly searchPath: string;
  /** Limit of one build. Default 60 s. */
  readonly timeoutMs?: number;
  /** Limit of one build's output. Default 64 MiB. */
  readonly maxOutputBytes?: number;
}

/**
 * Renders a folder that has a kustomization.yaml with the real kustomize, on a private directory of regular files that
 * holds just what the folder refers to. No network, no plugins, nothing outside the repository.
 */
export function kustomizeRenderer(options: KustomizeOptions): Renderer {
  return {
    matches: (files, path) => files.some((file) => isKustomization(file.path) && parentPath(file.path) === path),
    inputs: async (tree, path, signal) => hashJson(["kustomize", path, (await closureOf(tree, path, signal)).inputs]),
    render: async (tree, path, signal) => {
      const closure = await closureOf(tree, path, signal);
      const binary = await findExecutable("kustomize", options.searchPath);
      if (binary === undefined) {
        throw new StalledError("KustomizeNotFound", `${describePath(path)} has a kustomization.yaml, but the controller finds no kustomize on its PATH; install it, or commit the rendered manifests`);
      }
      const output = await inPrivateDirectory(closure, (directory) => build({ binary, directory, path, closure, options }, signal));
      return readRendering(output, path === "" ? "./" : path);
    },
  };
}

/** The first executable of this name on a PATH; `undefined` when there is none. */
async function findExecutable(name: string, searchPath: string): Promise<string | undefined> {
  for (const folder of searchPath.split(delimiter).filter((part) => part !== "")) {
    const candidate = join(folder, name);
    const executable = await access(candidate, constants.X_OK).then(() => true, () => false);
    if (executable) return candidate;
  }
  return undefined;
}

async function inPrivateDirectory<T>({ files }: Closure, use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "serin-kustomize-"));
  try {
    const root = join(directory, "repository");
    await mkdir(root, { mode: 0o700 });
    for (const folder of new Set([...files.keys()].map((path) => dirname(path))))
      await mkdir(join(root, folder), { recursive: true, mode: 0o700 });
    for (const { path, content } of files.values()) await writeFile(join(root, path), content, { mode: 0o600, flag: "wx" });
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

interface Build {
  readonly binary: string;
  readonly directory: string;
  readonly path: string;
  readonly closure: Closure;
  readonly options: KustomizeOptions;
}

async function build({ binary, directory, path, closure, options }: Build, signal: AbortSignal): Promise<string> {
  const root = join(directory, "repository");
  const restrictor = closure.leavesFolder ? "LoadRestrictionsNone" : "LoadRestrictionsRootOnly";
  const timeoutMs = options.timeoutMs ?? 60_000;
  const result = await run(
    {
      file: binary,
      args: ["build", join(root, path), "--load-restrictor", restrictor],
      directory,
      maxOutputBytes: options.maxOutputBytes ?? 64 * 1024 * 1024,
    },
    AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  );
  const told = explain(result.errors, { root, directory });
  if (result.outcome === "limit") throw new StalledError(buildFailed, `kustomize build of ${describePath(path)} wrote more than it may`);
  signal.throwIfAborted();
  if (result.outcome === "killed") throw new Error(`kustomize build of ${describePath(path)} took longer than ${timeoutMs / 1000}s`);
  if (result.outcome === "failed") throw new StalledError(buildFailed, `kustomize build of ${describePath(path)}: ${told}`);
  return result.output;
}

/** What kustomize says with the paths of the repository instead of those of the private directory. */
function explain(errors: string, { root, directory }: { root: string; directory: string }): string {
  const text = errors.replaceAll(`${root}/`, "").replaceAll(root, ".").replaceAll(directory, "").trim();
  // Control characters would reach a terminal by way of the status.
  const printable = text.replace(/\p{Cc}+/gu, " ").replace(/^Error: /, "");
  return printable.length > 2000 ? `${printable.slice(0, 2000)}…` : printable || "failed without a word";
}

interface RunResult {
  readonly outcome: "ok" | "failed" | "limit" | "killed";
  readonly output: string;
  readonly errors: string;
}

async function run(
  command: { file: string; args: string[]; directory: string; maxOutputBytes: number },
  signal: AbortSignal,
): Promise<RunResult> {
  const { file, args, directory, maxOutputBytes } = command;
  // A proxy that nobody listens on: should a reference to the network get this far, it ends here.
  const nowhere = "http://127.0.0.1:9";
  const env = { HOME: directory, TMPDIR: directory, PATH: "", HTTP_PROXY: nowhere, HTTPS_PROXY: nowhere, GOMAXPROCS: "2" };
  return new Promise((resolve, reject) => {
    // A process group of its own, so that whatever it starts ends with it.
    const child = spawn(file, args, { cwd: directory, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    const kill = (): void => killGroup(child.pid);
    signal.addEventListener("abort", kill, { once: true });
    const [output, errors]: [Buffer[], Buffer[]] = [[], []];
    let [outputBytes, errorBytes] = [0, 0];
    child.stdout.on("data", (chunk: Buffer) => {
      outputBytes += chunk.byteLength;
      if (outputBytes > maxOutputBytes) kill();
      else output.push(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      errorBytes += chunk.byteLength;
      if (errorBytes <= 64 * 1024) errors.push(chunk);
    });
    child.on("error", (cause) => reject(new Error("start kustomize", { cause })));
    child.on("close", (code) => {
      signal.removeEventListener("abort", kill);
      const outcome = outputBytes > maxOutputBytes ? "limit" : signal.aborted ? "killed" : code === 0 ? "ok" : "failed";
      resolve({ outcome, output: Buffer.concat(output).toString("utf8"), errors: Buffer.concat(errors).toString("utf8") });
    });
  });
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It ended by itself in the meantime.
  }
}
