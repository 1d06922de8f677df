import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { messageOf } from "../../lib/errors.ts";
import { scrapeJob } from "./scrape.ts";
import type { MetricsOptions, RunningMetrics } from "./metrics.ts";

const startTimeoutMs = 50_000;
const killAfterMs = 5_000;

/**
 * The real Prometheus in a process and a directory of its own. `undefined` when there is none on PATH; throws when it does not start.
 * @param options.dataDir samples to begin with; default none
 * @param options.ruleFiles rules to evaluate, absolute paths; default none
 */
export async function startPrometheus(
  options: MetricsOptions & { dataDir?: string; ruleFiles?: readonly string[] },
): Promise<RunningMetrics | undefined> {
  const dir = await mkdtemp(join(tmpdir(), "serin-prometheus-"));
  const remove = () => rm(dir, { recursive: true, force: true });
  try {
    await writeTargets(dir, options.targets());
    await writeFile(join(dir, "prometheus.yml"), configuration(options.scrapeIntervalMs, options.ruleFiles));
    const child = await spawned(dir, options);
    if (!child) {
      await remove();
      return undefined;
    }
    return await running(child, { dir, remove, options });
  } catch (err) {
    await remove();
    throw err;
  }
}

// honor_labels: what an exposition says of itself stays, as with the embedded scraper.
function configuration(scrapeIntervalMs: number, ruleFiles: readonly string[] = []): string {
  const interval = `${scrapeIntervalMs}ms`;
  return JSON.stringify({
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: ruleFiles,
    scrape_configs: [{ job_name: scrapeJob, honor_labels: true, file_sd_configs: [{ files: ["targets.json"] }] }],
  });
}

async function writeTargets(dir: string, addresses: readonly string[]): Promise<void> {
  const groups = addresses.map((address) => {
    const { host, pathname, protocol } = new URL(address);
    return { targets: [host], labels: { __metrics_path__: pathname, __scheme__: protocol.slice(0, -1) } };
  });
  // Prometheus watches the file: it must never see half of it.
  await writeFile(join(dir, "targets.new"), JSON.stringify(groups));
  await rename(join(dir, "targets.new"), join(dir, "targets.json"));
}

async function spawned(
  dir: string,
  { dataDir = "data", port = 0 }: { dataDir?: string; port?: number | undefined },
): Promise<ChildProcess | undefined> {
  const flags = [
    "--config.file=prometheus.yml",
    `--storage.tsdb.path=${dataDir}`,
    "--storage.tsdb.retention.time=2h",
    `--web.listen-address=127.0.0.1:${port}`,
    "--log.format=json",
    // By default new targets wait for up to 5 s more.
    "--scrape.discovery-reload-interval=100ms",
  ];
  const child = spawn("prometheus", flags, { cwd: dir, stdio: ["ignore", "ignore", "pipe"] });
  try {
    await once(child, "spawn");
    return child;
  } catch (err) {
    if (err instanceof Error && "code" in err && err.code === "ENOENT") return undefined;
    throw err;
  }
}

interface Running {
  readonly dir: string;
  readonly remove: () => Promise<void>;
  readonly options: MetricsOptions;
}

async function running(child: ChildProcess, { dir, remove, options }: Running): Promise<RunningMetrics> {
  const exited = child.exitCode === null ? once(child, "exit") : Promise.resolve();
  const killOnExit = () => child.kill("SIGKILL");
  process.once("exit", killOnExit);
  const stop = new AbortController();
  const end = async (): Promise<void> => {
    stop.abort();
    child.kill("SIGTERM");
    const kill = setTimeout(() => child.kill("SIGKILL"), killAfterMs);
    await exited;
    clearTimeout(kill);
    process.off("exit", killOnExit);
    await remove();
  };
  try {
    const address = await listening(child, AbortSignal.any([options.signal, AbortSignal.timeout(startTimeoutMs)]));
    const following = followTargets(dir, options, AbortSignal.any([options.signal, stop.signal]));
    const closed = new Promise<void>((resolve) => stop.signal.addEventListener("abort", () => resolve(following), { once: true }));
    return { kind: "prometheus", url: `http://${address}`, close: async () => void (await Promise.all([end(), closed])) };
  } catch (err) {
    await end();
    throw err;
  }
}

// It says in its log which port it got and when it is ready. The log is read to its end: a full pipe would stop it.
async function listening(child: ChildProcess, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  if (!child.stderr) throw new Error("prometheus has no log");
  const lines = createInterface({ input: child.stderr });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let address = "";
  let lastError = "";
  lines.on("line", (line) => {
    const entry = logEntry(line);
    if (entry.msg === "Listening on") address = entry.address ?? "";
    if (entry.level === "error") lastError = `: ${entry.err ?? entry.msg ?? ""}`;
    if (entry.msg === "Server is ready to receive web requests." && address !== "") resolve(address);
  });
  lines.on("close", () => reject(new Error(`prometheus ended while it started${lastError}`)));
  signal.addEventListener("abort", () => reject(signal.reason instanceof Error ? signal.reason : new Error("aborted")), { once: true });
  return promise;
}

function logEntry(line: string): { msg?: string; level?: string; address?: string; err?: string } {
  try {
    const entry = JSON.parse(line) as Record<string, unknown>;
    return Object.fromEntries(
      ["msg", "level", "address", "err"].flatMap((field) => (typeof entry[field] === "string" ? [[field, entry[field]]] : [])),
    );
  } catch {
    return {};
  }
}

async function followTargets(dir: string, { targets, scrapeIntervalMs, clock, log }: MetricsOptions, signal: AbortSignal): Promise<void> {
  let written = JSON.stringify(targets());
  while (!signal.aborted) {
    await clock.sleep(scrapeIntervalMs, signal).catch(() => {});
    const wanted = targets();
    if (signal.aborted || JSON.stringify(wanted) === written) continue;
    try {
      await writeTargets(dir, wanted);
      written = JSON.stringify(wanted);
    } catch (err) {
      log.warn({ error: messageOf(err) }, "metric targets cannot be written");
    }
  }
}
