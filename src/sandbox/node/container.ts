import type { RequestListener } from "node:http";
import type { Kube } from "../../kube/kube.ts";
import { backoffMs } from "../../lib/backoff.ts";
import type { BackoffLimits } from "../../lib/backoff.ts";
import type { Clock } from "../../lib/clock.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Container, Pod } from "../kinds.ts";
import type { PodAddress } from "./addresses.ts";
import type { Environment } from "./environment.ts";
import { resolveEnvironment, sourceRefs, sourceText } from "./environment.ts";
import type { Images, Program, RunningProgram } from "./images.ts";
import { pullError } from "./images.ts";
import type { Listener } from "./listener.ts";
import { listen } from "./listener.ts";
import type { ContainerView, Ending } from "./pod-status.ts";
import type { ProbeTarget } from "./probe.ts";
import { tryProbe, watchProbe } from "./probe.ts";

/** How patient a node is. */
export interface NodeTimings {
  /** Wait before a crashed container starts again, from its second crash on. */
  readonly crashBackoff: BackoffLimits;
  /** Wait before an image is pulled again. */
  readonly pullBackoff: BackoffLimits;
  /** Wait before a missing ConfigMap or Secret is looked for again. */
  readonly configRetryMs: number;
  /** How long a stopping container still takes new requests, so that every gateway has heard of it. At most its grace period. */
  readonly drainMs: number;
}

/** One container of a pod, and what it tells its pod. */
export interface Slot {
  readonly pod: Pod;
  readonly container: Container;
  /** An init container has done its work when it ends with 0. */
  readonly init: boolean;
  readonly address: PodAddress;
  readonly kube: Kube;
  readonly images: Images;
  readonly clock: Clock;
  readonly timings: NodeTimings;
  /** Aborts when the pod is asked to stop. */
  readonly stopping: AbortSignal;
  /** Aborts when nothing of the pod may run any more. */
  readonly life: AbortSignal;
  readonly update: (change: Partial<ContainerView>) => void;
  /** Real ports by container port; filled as they open. */
  readonly ports: Map<number, number>;
}

const idle = { ready: false, started: false } as const;

/** Runs a container until its pod stops or, as its restart policy has it, it ends. Says each step by `update`. */
export async function runContainer(slot: Slot): Promise<void> {
  let [crashes, pulls, restarts] = [0, 0, 0];
  while (!slot.stopping.aborted) {
    const ready = await prepare(slot, pulls);
    if (!ready.ok) {
      pulls = ready.pulling ? pulls + 1 : 0;
      await (ready.pulling ? backOffPull(slot, ready.retryMs) : nap(slot, ready.retryMs));
      continue;
    }
    pulls = 0;
    if (slot.stopping.aborted) return;
    const ending = await runOnce(slot, ready.program, ready.environment);
    if (slot.stopping.aborted) return;
    slot.update({ ...idle, stage: { is: "ended", ending } });
    if (!isRestarted(slot, ending)) return;
    crashes = ending.finishedAtMs - ending.startedAtMs > 2 * slot.timings.crashBackoff.maxMs ? 1 : crashes + 1;
    slot.update({ restarts: ++restarts, lastEnding: ending });
    await afterCrash(slot, crashes);
  }
}

type Ready =
  | { ok: true; program: Program; environment: Environment & { ok: true } }
  | { ok: false; pulling: boolean; retryMs: number };

async function prepare(slot: Slot, pulls: number): Promise<Ready> {
  const { container, images, timings } = slot;
  const found = images.find(container.image);
  if (found === "notFound" || found === "registryError") {
    slot.update({ ...idle, stage: { is: "waiting", reason: "ErrImagePull", message: pullError(container.image, found) } });
    return { ok: false, pulling: true, retryMs: backoffMs(pulls + 1, timings.pullBackoff, 1) };
  }
  const environment = await readEnvironment(slot);
  if (environment.ok) return { ok: true, program: found, environment };
  slot.update({ ...idle, stage: { is: "waiting", reason: environment.reason, message: environment.message } });
  return { ok: false, pulling: false, retryMs: timings.configRetryMs };
}

/** Waits until the image is pulled again. As with a kubelet the error itself shows until the pod is looked at next, then the back-off. */
async function backOffPull(slot: Slot, retryMs: number): Promise<void> {
  const { container, images } = slot;
  const shownMs = Math.min(1_000, retryMs / 2);
  await nap(slot, shownMs);
  if (slot.stopping.aborted) return;
  const found = images.find(container.image);
  const why = typeof found === "string" ? `: ErrImagePull: ${pullError(container.image, found)}` : "";
  const message = `Back-off pulling image "${container.image}"${why}`;
  slot.update({ ...idle, stage: { is: "waiting", reason: "ImagePullBackOff", message } });
  await nap(slot, retryMs - shownMs);
}

async function readEnvironment({ pod, container, kube, life, address }: Slot): Promise<Environment> {
  const read = [...sourceRefs(pod, container)].map(async ([id, ref]) => {
    const object = await kube.find(ref, life);
    return [id, sourceText(object, ref.kind === "Secret" ? "Secret" : "ConfigMap")] as const;
  });
  const sources = new Map(await Promise.all(read));
  return resolveEnvironment({ ...pod, status: { ...pod.status, podIP: address.ip } }, container, sources);
}

function isRestarted({ pod, init }: Slot, { exitCode }: Ending): boolean {
  const { restartPolicy } = pod.spec;
  if (init) return exitCode !== 0 && restartPolicy !== "Never";
  return restartPolicy === "Always" || (restartPolicy === "OnFailure" && exitCode !== 0);
}

/** The first restart is immediate, as a kubelet's; later ones wait. */
async function afterCrash(slot: Slot, crashes: number): Promise<void> {
  if (crashes < 2) return;
  const { metadata } = slot.pod;
  const waitMs = backoffMs(crashes - 1, slot.timings.crashBackoff, 1);
  const who = `container=${slot.container.name} pod=${metadata.name}_${metadata.namespace}(${metadata.uid})`;
  const message = `back-off ${Math.round(waitMs / 1_000)}s restarting failed ${who}`;
  slot.update({ ...idle, stage: { is: "waiting", reason: "CrashLoopBackOff", message } });
  await nap(slot, waitMs);
}

async function nap({ clock, stopping }: Slot, durationMs: number): Promise<void> {
  await clock.sleep(durationMs, stopping).catch(() => {});
}

/** One run of a container. */
interface Run {
  readonly environment: Environment & { ok: true };
  readonly startedAtMs: number;
  readonly listeners: Listener[];
  /** Aborts when the program itself is told to end. */
  readonly told: AbortSignal;
  readonly killed: AbortSignal;
  readonly exit: (exitCode: number, message?: string) => void;
}

/** One run from start to end. When the pod stops it drains first; a crash cuts its connections. */
async function runOnce(slot: Slot, program: Program, environment: Environment & { ok: true }): Promise<Ending> {
  const { clock, stopping } = slot;
  const over = new AbortController();
  const ended = Promise.withResolvers<Pick<Ending, "exitCode" | "message">>();
  const run: Run = {
    environment,
    startedAtMs: clock.nowMs(),
    listeners: [],
    told: toldToEnd(slot),
    killed: AbortSignal.any([over.signal, slot.life]),
    exit: (exitCode, message) => ended.resolve({ exitCode, message }),
  };
  const running = await startProgram(slot, program, run).catch((error: unknown): RunningProgram => {
    run.exit(1, messageOf(error));
    return {};
  });
  const { exitCode, message } = await Promise.race([ended.promise, aborted(stopping)]);
  if (stopping.aborted) await drain(slot, run, running);
  over.abort();
  for (const listener of run.listeners) listener.destroy();
  await running.alone?.ended;
  const reason = exitCode === 0 ? "Completed" : "Error";
  return { exitCode, message, reason, startedAtMs: run.startedAtMs, finishedAtMs: clock.nowMs() };
}

async function startProgram(slot: Slot, program: Program, run: Run): Promise<RunningProgram> {
  const { environment, listeners, told, killed, exit } = run;
  const { pod, container, address, clock } = slot;
  const command = [...(container.command ?? []), ...(container.args ?? [])];
  const { env, files } = environment;
  const about = { pod, container: container.name, image: container.image, command, env, files, ip: address.ip, clock };
  const running = await program({ ...about, signal: told, killed, exit });
  if (running.serve) listeners.push(...(await openPorts(slot, running.serve)));
  else if (!running.alone) exit(0);
  if (running.serve || running.alone) tellRunning(slot, running, run);
  return running;
}

/** Says that it runs, and from then on what its probes find. */
function tellRunning(slot: Slot, running: RunningProgram, { startedAtMs, killed, exit }: Run): void {
  const { container, stopping } = slot;
  // A pod that was asked to stop meanwhile said that it is not ready, and that is its last word.
  if (stopping.aborted) return;
  const probed = running.alone?.probed ?? true;
  slot.update({ stage: { is: "running", startedAtMs }, ...unproven(container, probed) });
  if (probed) void watchProbes(slot, running, AbortSignal.any([killed, stopping]), exit).catch(() => {});
}

/** What holds of a container that has just started. */
function unproven({ startupProbe, readinessProbe }: Container, probed: boolean): Pick<ContainerView, "started" | "ready"> {
  return { started: !probed || !startupProbe, ready: !probed || (!startupProbe && !readinessProbe) };
}

async function aborted(signal: AbortSignal): Promise<{ exitCode: number; message?: undefined }> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  return { exitCode: 0 };
}

/** A pod that is asked to stop tells its programs, as a kubelet does, when what `preStop` sleeps is over. */
function toldToEnd({ container, clock, stopping, life }: Slot): AbortSignal {
  const seconds = container.lifecycle?.preStop?.sleep?.seconds ?? 0;
  if (seconds === 0) return stopping;
  const told = new AbortController();
  const sleep = async (): Promise<void> => {
    await aborted(stopping);
    await clock.sleep(seconds * 1_000, life).catch(() => {});
    told.abort();
  };
  void sleep();
  return told.signal;
}

async function drain({ clock, timings, life }: Slot, { listeners, told }: Run, { alone }: RunningProgram): Promise<void> {
  await aborted(told);
  if (alone) return void (await Promise.race([alone.ended, aborted(life)]));
  await clock.sleep(timings.drainMs, life).catch(() => {});
  await Promise.race([Promise.all(listeners.map((listener) => listener.drain())), aborted(life)]);
}

/** Declared ports; of a container that declares none, 8080. */
async function openPorts({ container, address, ports, stopping }: Slot, serve: RequestListener): Promise<Listener[]> {
  const declared = container.ports.filter(({ protocol }) => protocol === "TCP").map(({ containerPort }) => containerPort);
  const opened: Listener[] = [];
  for (const port of declared.length > 0 ? declared : [8080]) {
    const listener = await listen(serve, address.host, ports.get(port) ?? address.portFor(port), stopping);
    ports.set(port, listener.port);
    opened.push(listener);
  }
  return opened;
}

async function watchProbes(
  slot: Slot,
  program: RunningProgram,
  signal: AbortSignal,
  exit: (code: number, message: string) => void,
): Promise<void> {
  const { container, clock, address, ports } = slot;
  const target: ProbeTarget = { host: address.host, container, program, realPort: (port) => (program.alone ? port : ports.get(port)) };
  const { startupProbe, readinessProbe, livenessProbe } = container;
  const killed = (kind: string) => (passing: boolean, why: string | undefined) => {
    if (!passing) exit(137, `${kind} probe failed: ${why}`);
  };
  if (startupProbe) {
    const passed = Promise.withResolvers<void>();
    const changed = (passing: boolean, why: string | undefined): void => (passing ? passed.resolve() : killed("Startup")(passing, why));
    const done = new AbortController();
    const until = AbortSignal.any([signal, done.signal]);
    void watchProbe({
      probe: startupProbe,
      attempt: async (at) => await tryProbe(startupProbe, target, at),
      initially: undefined,
      changed,
      clock,
      signal: until,
    }).catch(() => {});
    await Promise.race([passed.promise, aborted(signal)]);
    done.abort();
    if (signal.aborted) return;
    slot.update({ started: true, ready: !readinessProbe });
  }
  const changed = (ready: boolean): void => slot.update({ ready });
  await Promise.all([
    readinessProbe &&
      watchProbe({
        probe: readinessProbe,
        attempt: async (at) => await tryProbe(readinessProbe, target, at),
        initially: false,
        changed,
        clock,
        signal,
      }),
    livenessProbe &&
      watchProbe({
        probe: livenessProbe,
        attempt: async (at) => await tryProbe(livenessProbe, target, at),
        initially: true,
        changed: killed("Liveness"),
        clock,
        signal,
      }),
  ]);
}
