import type { Summary } from "./play.ts";
import { type Cell, degraded, healthy, late, type PlayerName, playerNames, slower, stressed } from "./scenarios.ts";

/** What was played, by cell and player. */
export type Results = (cell: Cell, player: PlayerName) => Summary;

/** All tables as Markdown. */
export function tablesOf(results: Results): string {
  return [
    "**Healthy releases rolled back, %** (a release that changes nothing; baseline 0.01 / 0.1 / 1 / 5 % errors)",
    groups(healthy, results, ({ rolledBack }) => share(rolledBack)),
    "**Healthy releases rolled back on hard days, %** (10, 100, 1000 rps at 0.1 % errors / 100 rps at 1 %)",
    groups(stressed, results, ({ rolledBack }) => share(rolledBack)),
    "**Bad releases: missed % / median seconds until the traffic is back / requests failed until then**",
    table(degraded, (cell, player) => detection(results(cell, player))),
    "**Bad releases that break late: found % / median seconds**",
    table(late, (cell, player) => found(results(cell, player))),
    "**Slower releases: found % / median seconds** (0.1 % errors)",
    table(slower, (cell, player) => found(results(cell, player))),
    "**Healthy releases: median seconds to promotion** (baseline 0.01 / 0.1 / 1 / 5 % errors)",
    groups(healthy, results, ({ secondsToPromote }) => whole(secondsToPromote)),
    "**Failed requests in the first half hour, mean over the bad releases above**",
    costs(results),
  ].join("\n\n");
}

type Group = { readonly name: string; readonly cells: readonly Cell[] };

function groups(rows: readonly Group[], results: Results, value: (summary: Summary) => string): string {
  return markdown(rows.map(({ name, cells }) => [name, ...playerNames.map((player) => cells.map((cell) => value(results(cell, player))).join(" / "))]));
}

function table(cells: readonly Cell[], value: (cell: Cell, player: PlayerName) => string): string {
  return markdown(cells.map((cell) => [cell.name, ...playerNames.map((player) => value(cell, player))]));
}

function costs(results: Results): string {
  const rates = [...new Set(degraded.map(({ scenario }) => scenario.rps))].toSorted((a, b) => a - b);
  return markdown(
    rates.map((rps) => {
      const cells = degraded.filter(({ scenario }) => scenario.rps === rps);
      const mean = (player: PlayerName) => cells.reduce((sum, cell) => sum + results(cell, player).cost, 0) / cells.length;
      return [`${rps} rps`, ...playerNames.map((player) => whole(mean(player)))];
    }),
  );
}

function markdown(rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(["", ...playerNames]), line(["---", ...playerNames.map(() => "---")]), ...rows.map(line)].join("\n");
}

/** Percent; a tenth of one where it is less than one. */
function share(fraction: number): string {
  const value = fraction * 100;
  return value >= 0.95 || value === 0 ? value.toFixed(0) : value.toFixed(1);
}

function whole(value: number | undefined): string {
  return value === undefined ? "–" : value.toFixed(0);
}

function detection({ rolledBack, secondsToRollBack, failedUntilRollBack }: Summary): string {
  return `${share(1 - rolledBack)} / ${whole(secondsToRollBack)} / ${whole(failedUntilRollBack)}`;
}

function found({ rolledBack, secondsToRollBack }: Summary): string {
  return `${share(rolledBack)} / ${whole(secondsToRollBack)}`;
}
