// npm run soak: two hundred canaries, a commit every ten seconds, twenty minutes; memory must stay flat. Writes the plot and the
// figures of docs/reliability.md when it ran in full.
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { openGround } from "../bench/ground.ts";
import { readFacts } from "../control-plane/facts.ts";
import { linePlot } from "../line-plot.ts";
import { type Sample, trendOf } from "./memory.ts";
import { soak } from "./soak.ts";

const root = resolve(import.meta.dirname, "../..");
const page = join(root, "docs", "reliability.md");
const [begin, end] = ["<!-- soak: begin -->", "<!-- soak: end -->"];
const full = { canaries: 200, minutes: 20 } as const;

const { values } = parseArgs({ options: { canaries: { type: "string" }, minutes: { type: "string" } } });
const size = { canaries: Number(values.canaries ?? full.canaries), minutes: Number(values.minutes ?? full.minutes) };
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const facts = readFacts(process.env);
if (!facts) throw new Error("no control plane: use npm run soak");
const { signal } = new AbortController();
const ground = await openGround(facts, { quick: false, say, signal });
try {
  const { samples, ended } = await ground.withSerin((serin) => soak({ ground, serin, ...size }, signal));
  const trend = trendOf(samples);
  const commits = samples.at(-1)?.commits ?? 0;
  const told =
    `${size.canaries} canaries, ${commits} commits in ${size.minutes} minutes, ${ended.promoted} releases promoted and ${ended.failed} ` +
    `failed: resident memory of the controller with its Git process has a median of ${trend.earlyMiB.toFixed(0)} MiB in the second ` +
    `quarter of the run and of ${trend.lateMiB.toFixed(0)} MiB in the last (${signed(trend.growthPercent)} %), at most ` +
    `${trend.mostMiB.toFixed(0)} MiB.`;
  say(told);
  if (size.canaries === full.canaries && size.minutes >= full.minutes) write(told, samples);
  if (!trend.isFlat) throw new Error("memory grows");
} finally {
  await ground.close();
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
}

function write(told: string, samples: readonly Sample[]): void {
  const title = `Memory of the controller with ${size.canaries} canaries and a commit every 10 s`;
  const points = samples.map(({ minute, residentMiB }) => ({ x: minute, y: residentMiB }));
  const plot = linePlot({ title, x: "minutes", y: "MiB", lines: [{ name: "resident memory", points }] });
  writeFileSync(join(root, "docs", "soak.svg"), plot);
  const text = readFileSync(page, "utf8");
  const [before = ""] = text.split(begin);
  const [, after = ""] = text.split(end);
  writeFileSync(page, `${before}${begin}\n${told}\n\n![${title}](soak.svg)\n${end}${after}`);
}
