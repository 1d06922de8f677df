import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { type Container, type Pod, pod as podSchema } from "../kinds.ts";
import { inContainerRoot, type Mount } from "./container-root.ts";
import type { Program, ProgramContext, RunningProgram } from "./images.ts";
import { prepareVolumes, type VolumeInput } from "./process-mounts.ts";

/** An image that is a program of this machine. */
export interface ProcessImage {
  /** What runs when the container names no command. */
  readonly entrypoint: readonly string[];
  /** Arguments when the container names none. */
  readonly defaultArgs: readonly string[];
  /** Variables that every container of it has. @param ip the pod's address; it must not listen on others, which are other pods' */
  readonly env: (ip: string) => Readonly<Record<string, string>>;
  /** Folders and files of the machine that it needs, at the same path. */
  readonly needs: readonly string[];
  /** Below it, `NAMESPACE/POD` has the container's `CONTAINER.log` and `CONTAINER.pid`, and the pod's volumes. */
  readonly dir: string;
  readonly mintToken: (pod: Pod, ask: Parameters<VolumeInput["mintToken"]>[0], signal: AbortSignal) => Promise<string>;
}

/** Runs an image as a real process with a root, volumes, variables and a user of its own. The node must be root, if only in a namespace. */
export function processProgram(image: ProcessImage): Program {
  return async (context) => {
    const pod = podSchema.parse(context.pod);
    const container = [...pod.spec.containers, ...pod.spec.initContainers].find(({ name }) => name === context.container);
    if (!container) throw new Error(`pod ${pod.metadata.name} has no container ${context.container}`);
    const dir = join(image.dir, pod.metadata.namespace ?? "", pod.metadata.name);
    await mkdir(dir, { recursive: true });
    const volumes = await prepareVolumes({
      pod,
      container,
      files: context.files,
      dir: join(dir, "volumes"),
      mintToken: async (ask) => await image.mintToken(pod, ask, context.killed),
    });
    const scratch = await mkdtemp(join(dir, "root-"));
    const needs = image.needs.map((path): Mount => ({ kind: "bind", from: path, to: path }));
    const mounts = [...needs, ...volumes].sort((a, b) => depthOf(a) - depthOf(b));
    const root = { hostname: pod.metadata.name, scratch, mounts, ...rightsOf(pod, container) };
    const command = [...(container.command ?? image.entrypoint), ...(container.args ?? (container.command ? [] : image.defaultArgs))];
    const env = { HOSTNAME: pod.metadata.name, ...image.env(context.ip), ...context.env };
    const child = await launch(inContainerRoot(root, command), env, join(dir, container.name));
    return follow(child, context, async () => await rm(scratch, { recursive: true, force: true }));
  };
}

/** A mount hides what was mounted below it before: a volume at /tmp must not hide a program that lies in it. */
function depthOf({ to }: Mount): number {
  return to.split("/").length;
}

function rightsOf({ spec }: Pod, { securityContext }: Container): { readOnly: boolean; user: number | undefined } {
  return {
    readOnly: securityContext?.readOnlyRootFilesystem === true,
    user: securityContext?.runAsUser ?? spec.securityContext?.runAsUser,
  };
}

/** @param path where its log and process id go, without the ending */
async function launch(argv: readonly string[], env: Readonly<Record<string, string>>, path: string): Promise<ChildProcess> {
  const [command = "", ...args] = argv;
  const log = openSync(`${path}.log`, "a");
  try {
    const child = spawn(command, args, { cwd: "/", detached: true, stdio: ["ignore", log, log], env: { ...env } });
    await once(child, "spawn");
    await writeFile(`${path}.pid`, `${child.pid}\n`);
    return child;
  } finally {
    closeSync(log);
  }
}

function follow(child: ChildProcess, { signal, killed, exit }: ProgramContext, clean: () => Promise<void>): RunningProgram {
  const ended = Promise.withResolvers<void>();
  child.once("exit", (code, by) => {
    exit(code ?? 128 + (by ? constants.signals[by] : 0));
    clean().then(ended.resolve, ended.reject);
  });
  const whenAborted = (abort: AbortSignal, how: NodeJS.Signals): void => {
    if (abort.aborted) child.kill(how);
    else abort.addEventListener("abort", () => child.kill(how), { once: true });
  };
  whenAborted(signal, "SIGTERM");
  whenAborted(killed, "SIGKILL");
  return { alone: { ended: ended.promise, probed: true } };
}
