import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { linePlot, type Line } from "../line-plot.ts";
import { reportOf } from "./report.ts";
import { type Curve, result } from "./row.ts";

const measured = z.object({
  name: z.string(),
  machine: z.object({ cores: z.number(), memoryGiB: z.number(), node: z.string() }),
  result: result.optional(),
  /** Why there is no result of the last run. */
  failed: z.string().optional(),
});

/** What one scenario gave when it was last run. */
export type Measured = Readonly<z.infer<typeof measured>>;

/** What the figures were taken on. */
export function thisMachine(): Measured["machine"] {
  return { cores: availableParallelism(), memoryGiB: Math.round(totalmem() / 1024 ** 3), node: process.versions.node };
}

const [begin, end] = ["<!-- bench: begin -->", "<!-- bench: end -->"];

/**
 * Puts the figures into performance.json, performance.md and performance-*.svg of the folder. Scenarios that were not run
 * keep theirs, and one that failed keeps those of its last success.
 * @param order names of all scenarios, in the order of the table
 */
export function record(docs: string, order: readonly string[], fresh: readonly Measured[]): void {
  const file = join(docs, "performance.json");
  const before = existsSync(file) ? z.array(measured).parse(JSON.parse(readFileSync(file, "utf8"))) : [];
  const merged = order.flatMap((name) => {
    const [now, was] = [fresh.find((one) => one.name === name), before.find((one) => one.name === name)];
    if (now?.failed !== undefined && was?.result) return [{ ...was, failed: now.failed }];
    return now ?? was ?? [];
  });
  writeFileSync(file, `${JSON.stringify(merged, undefined, 1)}\n`);
  for (const name of readdirSync(docs)) if (/^performance-.*\.svg$/.test(name)) rmSync(join(docs, name));
  const plots = merged.flatMap(({ result: stored }) => stored?.curves ?? []).map((curve) => {
    const name = `performance-${curve.title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}.svg`;
    writeFileSync(join(docs, name), plotOf(curve));
    return { file: name, curve };
  });
  const page = join(docs, "performance.md");
  const text = readFileSync(page, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} needs the lines ${begin} and ${end}`);
  writeFileSync(page, `${text.slice(0, from)}${begin}\n${reportOf(merged, plots)}\n${text.slice(to)}`);
}

function plotOf({ title, others, unit, points, peer }: Curve): string {
  const line = (name: string, values: Curve["points"]): Line => ({ name, points: values.map(({ beside, value }) => ({ x: beside, y: value })) });
  return linePlot({ title, x: others, y: unit, lines: [line("Serin", points), ...(peer ? [line(peer.name, peer.points)] : [])] });
}
