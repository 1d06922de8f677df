import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Figures, parseFigures, playFigures, resultsOf, storedFigures } from "./figures.ts";
import { figuresFile, pagesOf } from "./pages.ts";
import { tablesOf } from "./tables.ts";

/**
 * Plays every way of judging on the same simulated traffic, stores what came out, and writes the operating characteristics into
 * docs/verdicts.md and docs/verdicts-figures.md, between their two markers, and docs/verdicts.svg.
 * Usage: npm run bench:verdicts -- [--trials 1000] [--print] [--stored]. Healthy releases are played four times as often; --print
 * shows the tables and writes nothing; --stored plays nothing and writes the pages from the last run.
 */
const { values } = parseArgs({
  options: {
    trials: { type: "string", default: "1000" },
    print: { type: "boolean", default: false },
    stored: { type: "boolean", default: false },
  },
});
const trials = Number(values.trials);
if (!Number.isInteger(trials) || trials < 1) throw new Error(`--trials ${values.trials} is not a number of rollouts; write it like 1000`);
const docs = resolve(import.meta.dirname, "../../../docs");

const figures = values.stored ? parseFigures(readFileSync(join(docs, figuresFile), "utf8")) : play();
if (values.print) process.stdout.write(`${tablesOf(resultsOf(figures))}\n`);
else {
  writeFileSync(join(docs, figuresFile), storedFigures(figures));
  for (const [page, text] of pagesOf(figures, docs)) writeFileSync(join(docs, page), text);
}

function play(): Figures {
  const { isTTY } = process.stderr;
  const played = playFigures(trials, (done, all) => void (isTTY && process.stderr.write(`\r${done} of ${all} scenarios  `)));
  if (isTTY) process.stderr.write("\n");
  return played;
}
