import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { playAll, type Summary } from "./play.ts";
import { plotOf } from "./plot.ts";
import { type Cell, curves, degraded, healthy, late, type PlayerName, playerNames, players, slower, stressed } from "./scenarios.ts";
import { tablesOf } from "./tables.ts";

/**
 * Plays every way of judging on the same simulated traffic and writes the operating characteristics into docs/verdicts.md,
 * between its two markers, and docs/verdicts.svg. The same trials give the same figures on every machine.
 * Usage: npm run bench:verdicts -- [--trials 1000] [--print]. Healthy releases are played four times as often.
 */
const { values } = parseArgs({ options: { trials: { type: "string", default: "1000" }, print: { type: "boolean", default: false } } });
const trials = Number(values.trials);
if (!Number.isInteger(trials) || trials < 1) throw new Error(`--trials ${values.trials} is not a number of rollouts; write it like 1000`);
const docs = resolve(import.meta.dirname, "../../../docs");
const page = resolve(docs, "verdicts.md");
const markers = { begin: "<!-- bench:verdicts -->", end: "<!-- /bench:verdicts -->" };

const good = [...healthy, ...stressed].flatMap(({ cells }) => cells);
const bad = [...degraded, ...late, ...slower, ...curves.flatMap(({ cells }) => cells)];
const jobs = [...good.map((cell) => ({ cell, times: 4 })), ...bad.map((cell) => ({ cell, times: 1 }))];

const played = new Map<string, Summary>();
for (const [index, { cell, times }] of jobs.entries()) {
  for (const player of playerNames)
    played.set(keyOf(cell, player), playAll(cell.scenario, players[player], { trials: trials * times, seed: seedOf(cell) }));
  if (process.stderr.isTTY) process.stderr.write(`\r${index + 1} of ${jobs.length} scenarios  `);
}
if (process.stderr.isTTY) process.stderr.write("\n");

const results = (cell: Cell, player: PlayerName): Summary => {
  const found = played.get(keyOf(cell, player));
  if (!found) throw new Error(`${cell.name} was not played by ${player}`);
  return found;
};
const text = `${tablesOf(results)}\n\n${trials} rollouts a cell, ${4 * trials} where nothing is wrong.`;
if (values.print) process.stdout.write(`${text}\n`);
else {
  writeFileSync(page, between(readFileSync(page, "utf8"), text));
  writeFileSync(resolve(docs, "verdicts.svg"), plotOf(results));
}

function keyOf(cell: Cell, player: PlayerName): string {
  return `${cell.name}: ${player}`;
}

/** The same for everybody who plays the cell, so that all get the same pods, incidents and luck. */
function seedOf({ name }: Cell): number {
  return Buffer.from(name).reduce((hash, byte) => (Math.imul(hash, 31) + byte) | 0, 7);
}

function between(whole: string, inner: string): string {
  const [from, to] = [whole.indexOf(markers.begin), whole.indexOf(markers.end)];
  if (from < 0 || to < from) throw new Error(`${page} needs the lines ${markers.begin} and ${markers.end}`);
  return `${whole.slice(0, from + markers.begin.length)}\n${inner}\n${whole.slice(to)}`;
}
