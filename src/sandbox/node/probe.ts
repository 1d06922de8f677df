import { connect } from "node:net";
import { request } from "undici";
import type { Clock } from "../../lib/clock.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Container, Probe } from "../kinds.ts";
import type { RunningProgram } from "./images.ts";

/** What a probe is aimed at. */
export interface ProbeTarget {
  readonly host: string;
  readonly container: Container;
  readonly program: RunningProgram;
  /** The real port of a container port. */
  readonly realPort: (containerPort: number) => number | undefined;
}

/** Tries once. @returns why it failed; `undefined`: it passed */
export async function tryProbe(probe: Probe, target: ProbeTarget, signal: AbortSignal): Promise<string | undefined> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(probe.timeoutSeconds * 1_000)]);
  try {
    if (probe.httpGet) return await tryHttp(probe.httpGet, target, limit);
    if (probe.tcpSocket) return await tryTcp(target.host, portOf(probe.tcpSocket.port, target), limit);
    if (probe.exec) return await tryExec(probe.exec.command, target.program);
    return "the probe has neither httpGet nor tcpSocket nor exec, which is all that the sandbox knows";
  } catch (error) {
    return messageOf(error);
  }
}

async function tryHttp(get: NonNullable<Probe["httpGet"]>, target: ProbeTarget, signal: AbortSignal): Promise<string | undefined> {
  const path = get.path.startsWith("/") ? get.path : `/${get.path}`;
  const headers = Object.fromEntries((get.httpHeaders ?? []).map(({ name, value }) => [name, value]));
  const url = `http://${target.host}:${portOf(get.port, target)}${path}`;
  const { statusCode, body } = await request(url, { headers: { "user-agent": "kube-probe/1.36", ...headers }, reset: true, signal });
  await body.dump();
  return statusCode >= 200 && statusCode < 400 ? undefined : `HTTP probe failed with statuscode: ${statusCode}`;
}

async function tryTcp(host: string, port: number, signal: AbortSignal): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const socket = connect({ host, port, signal });
    socket.once("connect", () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once("error", (error) => resolve(error.message));
  });
}

async function tryExec(command: readonly string[], program: RunningProgram): Promise<string | undefined> {
  if (!program.exec) return `this image has no command ${command.join(" ")}: give its program an exec function, or use httpGet`;
  const code = await program.exec(command);
  return code === 0 ? undefined : `command ${command.join(" ")} exited with ${code}`;
}

function portOf(port: number | string, { container, realPort }: ProbeTarget): number {
  const number = typeof port === "number" ? port : container.ports.find(({ name }) => name === port)?.containerPort;
  if (number === undefined) throw new Error(`container ${container.name} has no port named ${port}`);
  const real = realPort(number);
  if (real === undefined) throw new Error(`container ${container.name} does not listen on port ${number}`);
  return real;
}

/** Probes until the signal aborts and reports each change of mind, as a kubelet counts successes and failures. */
export async function watchProbe(options: {
  readonly probe: Probe;
  readonly attempt: (signal: AbortSignal) => Promise<string | undefined>;
  /** What holds before the first verdict. */
  readonly initially: boolean | undefined;
  readonly changed: (passing: boolean, why: string | undefined) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { probe, clock, signal } = options;
  let verdict = options.initially;
  let [passed, failed] = [0, 0];
  if (probe.initialDelaySeconds > 0) await clock.sleep(probe.initialDelaySeconds * 1_000, signal);
  while (!signal.aborted) {
    const why = await options.attempt(signal);
    if (signal.aborted) return;
    [passed, failed] = why === undefined ? [passed + 1, 0] : [0, failed + 1];
    const next = passed >= probe.successThreshold ? true : failed >= probe.failureThreshold ? false : verdict;
    if (next !== undefined && next !== verdict) options.changed((verdict = next), why);
    await clock.sleep(probe.periodSeconds * 1_000, signal);
  }
}
