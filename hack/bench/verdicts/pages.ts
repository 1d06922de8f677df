import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Figures, resultsOf } from "./figures.ts";
import { plotOf } from "./plot.ts";
import { digestOf, tablesOf } from "./tables.ts";

/** Where a whole run is stored, below docs/. */
export const figuresFile = "verdicts-figures.json";
const markers = { begin: "<!-- bench:verdicts -->", end: "<!-- /bench:verdicts -->" };

/**
 * The pages that tell of a run, by their names below `docs`: the few rows that matter between the markers of verdicts.md, all of them
 * between those of verdicts-figures.md, and the plot. What stands around the markers is as it is. Throws where a page has none.
 */
export function pagesOf(figures: Figures, docs: string): ReadonlyMap<string, string> {
  const { trials } = figures;
  const results = resultsOf(figures);
  const played = `${trials} rollouts a cell, ${4 * trials} where nothing is wrong.`;
  const fill = (page: string, text: string): [string, string] => [page, between(readFileSync(join(docs, page), "utf8"), text, page)];
  return new Map([
    fill("verdicts.md", digestOf(results)),
    fill("verdicts-figures.md", `${tablesOf(results)}\n\n${played}`),
    ["verdicts.svg", plotOf(results)],
  ]);
}

function between(whole: string, inner: string, page: string): string {
  const [from, to] = [whole.indexOf(markers.begin), whole.indexOf(markers.end)];
  if (from < 0 || to < from) throw new Error(`docs/${page} needs the lines ${markers.begin} and ${markers.end}`);
  return `${whole.slice(0, from + markers.begin.length)}\n${inner}\n${whole.slice(to)}`;
}
