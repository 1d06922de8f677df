import { parseArgs } from "node:util";
import { type Flag, flags, readConfig } from "../config.ts";
import type { GitWorker } from "../git/create-git.ts";
import { loadKubeConfig } from "../kube/kubeconfig.ts";
import { messageOf } from "../lib/errors.ts";
import { createLogger } from "../lib/log.ts";
import { version } from "../version.ts";
import { nearest } from "./suggest.ts";

type Valued = Pick<Flag, "name" | "description"> & { readonly short?: string };

interface Command {
  readonly summary: string;
  /** What is written after the flags, e.g. `FILE…`; missing: nothing. Without … at its end it is one at most. */
  readonly operands?: string;
  readonly flags: readonly Valued[];
  readonly switches: readonly Pick<Flag, "name" | "description">[];
  /** Gives what the process exits with; nothing is 0. */
  run(given: Given, signal: AbortSignal): Promise<number | void>;
}

interface Given {
  readonly gitWorker: GitWorker;
  readonly operands: readonly string[];
  readonly values: Readonly<Record<string, string>>;
  readonly switches: ReadonlySet<string>;
}

// What a command is made of is loaded when it is asked for.
const commands: Readonly<Record<string, Command>> = {
  controller: {
    summary: "Run the controller.",
    flags,
    switches: [],
    run: async ({ values, gitWorker }, signal) => {
      const { controllerCommand } = await import("./controller.ts");
      const config = readConfig(values);
      const connection = await loadKubeConfig({ path: config.kubeconfig });
      await controllerCommand({ config, connection, log: createLogger(config.logLevel), gitWorker, signal });
    },
  },
  demo: {
    summary: "Play a good and a bad release on a cluster in this process: no Docker, nothing to install.",
    flags: [],
    switches: [{ name: "once", description: "End after the story instead of staying up." }],
    run: async ({ switches, gitWorker }, signal) => {
      const { demoCommand } = await import("./demo/demo.ts");
      await demoCommand({ once: switches.has("once"), output: process.stdout, config: readConfig(), gitWorker }, signal);
    },
  },
  explain: {
    summary: "Say why a Canary stands where it stands: its evidence step by step, and what could not have been seen.",
    operands: "canary/NAME",
    flags: [
      ...flags.filter(({ name }) => name === "kubeconfig"),
      { name: "namespace", short: "n", description: "Namespace of the Canary. Default: the kubeconfig's." },
    ],
    switches: [],
    run: async ({ values: { namespace, ...config }, operands: [subject] }, signal) => {
      if (subject === undefined) return misused("name what is to be explained: canary/NAME", "serin explain --help");
      const { explainCommand } = await import("./explain/explain.ts");
      const connection = await loadKubeConfig({ path: readConfig(config).kubeconfig });
      return explainCommand({ subject, namespace, connection, output: process.stdout, notes: process.stderr }, signal);
    },
  },
  simulate: {
    summary: "Replay a Canary's rules on past traffic: what each way of judging would have done with releases, good and bad.",
    operands: "[CANARY.yaml]",
    flags: [
      ...flags.filter(({ name }) => name === "metrics-server"),
      { name: "requests", description: 'Counters of requests with a status code, like http_requests_total{service="shop"}.' },
      { name: "latency", description: "Histogram of their time: its buckets, or a native one. Default: latency is not looked at." },
      { name: "latency-unit", description: "Of its bounds: s or ms. Default: s." },
      { name: "canary", description: "Labels of a canary that ran, like 'version=\"2\"'. Default: the traffic is split at random." },
      { name: "stable", description: "Labels of what ran beside it." },
      { name: "last", description: "How far back is looked, like 6h. Default: 6h." },
      { name: "from", description: "A time instead, like 2026-11-21T12:00:00Z." },
      { name: "until", description: "End of the time. Default: now." },
      { name: "replays", description: "How many releases of each kind are replayed. Default: 100." },
      { name: "seed", description: "Of chance: the same seed gives the same replays. Default: 1." },
      { name: "save", description: "File to write the samples to." },
      { name: "samples", description: "File of such samples to read, instead of a Prometheus." },
    ],
    switches: [],
    run: async ({ values: { "metrics-server": given, "latency-unit": latencyUnit, ...values }, operands: [manifest] }, signal) => {
      const { simulateCommand } = await import("./simulate/simulate.ts");
      const { metricsServer } = readConfig(given === undefined ? {} : { "metrics-server": given });
      const server = given === undefined ? { defaultServer: metricsServer } : { metricsServer };
      const to = { output: process.stdout, notes: process.stderr, nowMs: Date.now() };
      return simulateCommand({ ...values, ...to, ...server, manifest, latencyUnit }, signal);
    },
  },
  lint: {
    summary: "Check manifests without a cluster: files, folders, or - for standard input. Exits with 1 when something is wrong.",
    operands: "FILE…",
    flags: [
      ...flags.filter(({ name }) => ["mesh-provider", "metrics-server"].includes(name)),
      { name: "namespace", short: "n", description: "Namespace of objects that name none. Default: default." },
      { name: "output", short: "o", description: "text: one line a problem; json: all that was found. Default: text." },
    ],
    switches: [],
    run: async ({ values: { namespace = "default", output = "text", ...config }, operands: paths }) => {
      if (output !== "text" && output !== "json") return misused(`--output is ${output}, not text or json`, "serin lint --help");
      const { lintCommand } = await import("./lint/lint.ts");
      const { provider, metricsServer } = readConfig(config);
      const { stdin, stdout, stderr: notes } = process;
      const defaults = { provider, metricsServer };
      return lintCommand({ paths, json: output === "json", namespace, defaults, stdin, output: stdout, notes });
    },
  },
};

/**
 * Runs the command that these arguments name.
 * @param gitWorker how a process of ours runs Git
 * @returns what the process exits with
 */
export async function runCli(args: readonly string[], gitWorker: GitWorker): Promise<number> {
  const [name = "help", ...rest] = args;
  if (["help", "--help", "-h"].includes(name)) {
    process.stdout.write(usage());
    return 0;
  }
  if (["version", "--version"].includes(name)) {
    process.stdout.write(`${version}\n`);
    return 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) return misused(`there is no command ${name}${meant(name, Object.keys(commands))}`, "serin --help");
  let given: Omit<Given, "gitWorker"> | undefined;
  try {
    given = parse(command, rest);
  } catch (error) {
    return misused(notUnderstood(error, command), `serin ${name} --help`);
  }
  if (!given) {
    process.stdout.write(commandUsage(name, command));
    return 0;
  }
  return (await command.run({ ...given, gitWorker }, untilTold())) ?? 0;
}

/** Node's words for a flag that is not there speak of operands that begin with a dash, which none of ours does. */
function notUnderstood(error: unknown, { flags: valued, switches }: Command): string {
  const message = messageOf(error);
  const [, unknown] = /^Unknown option '([^']+)'/.exec(message) ?? [];
  if (unknown === undefined) return message;
  return `there is no flag ${unknown}${meant(unknown, [...valued, ...switches].map(({ name }) => `--${name}`))}`;
}

function meant(word: string, candidates: readonly string[]): string {
  const near = word.length > 2 ? nearest(word, candidates) : undefined;
  return near === undefined ? "" : `; did you mean ${near}?`;
}

/** What a shell expects of a command line that is not understood. */
function misused(problem: string, help: string): number {
  process.stderr.write(`serin: ${problem}\n${help} says what there is.\n`);
  return 2;
}

/**
 * Aborts at the first Ctrl-C or SIGTERM, and when the terminal or the reader of the output goes away; a second signal ends
 * the process at once.
 */
function untilTold(): AbortSignal {
  const told = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (told.signal.aborted) process.exit(130);
      told.abort(new Error(`received ${signal}`));
    });
  }
  process.stdout.on("error", (error) => told.abort(new Error("nobody reads the output", { cause: error })));
  return told.signal;
}

/** `undefined`: help was asked for. Throws on an unknown flag, and on more operands than the command has. */
function parse(command: Command, args: string[]): Omit<Given, "gitWorker"> | undefined {
  const options = {
    help: { type: "boolean" as const, short: "h" },
    ...Object.fromEntries(command.flags.map(({ name, short }) => [name, { type: "string" as const, ...(short ? { short } : {}) }])),
    ...Object.fromEntries(command.switches.map(({ name }) => [name, { type: "boolean" as const }])),
  };
  const { values, positionals: operands } = parseArgs({ args, options, strict: true, allowPositionals: command.operands !== undefined });
  if (values["help"] === true) return undefined;
  const [, second] = operands;
  if (second !== undefined && command.operands?.endsWith("…") !== true)
    throw new Error(`${JSON.stringify(second)} is one too many: write one ${command.operands?.replaceAll(/[[\]]/g, "")}`);
  const given: [string, string | boolean | undefined][] = Object.entries(values);
  const texts = given.flatMap(([name, value]) => (typeof value === "string" ? [[name, value] as const] : []));
  const switches = new Set(given.filter(([, value]) => value === true).map(([name]) => name));
  return { operands, values: Object.fromEntries(texts), switches };
}

function usage(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`);
  return `Progressive delivery for Kubernetes in which Git stays true.\n\nUsage: serin COMMAND [flags]\n\n${lines.join("\n")}\n\nserin COMMAND --help lists a command's flags, serin --version says which Serin this is.\n`;
}

function commandUsage(name: string, { summary, operands, flags: valued, switches }: Command): string {
  const lines = [
    ...valued.map((flag) => [`${flag.short === undefined ? "" : `-${flag.short}, `}--${flag.name} VALUE`, flag.description]),
    ...switches.map((flag) => [`--${flag.name}`, flag.description]),
  ];
  const described = lines.map(([flag = "", description = ""]) => `  ${flag.padEnd(35)} ${description}`).join("\n");
  const settings = valued.flatMap((flag) => flags.find((each) => each.name === flag.name) ?? []);
  const examples = settings.slice(0, 2).map((flag) => `--${flag.name} from ${flag.variable}`).join(" and ");
  const variables = settings.length === 0 ? "" : `\n${settings.length === valued.length ? "Each flag is" : "Some flags are"} also read from the environment: ${examples}.\n`;
  return `${summary}\n\nUsage: serin ${name} [flags]${operands === undefined ? "" : ` ${operands}`}\n\n${described}\n${variables}`;
}
