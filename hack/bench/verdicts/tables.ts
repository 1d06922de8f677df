import type { Figure, Results } from "./figures.ts";
import { type Cell, degraded, healthy, late, type PlayerName, playerNames, slower, stressed } from "./scenarios.ts";

/** A row of the short table: what is told of one cell. */
interface DigestRow {
  readonly says: string;
  readonly cell: string;
  readonly value: (figure: Figure) => string;
}

const rolledBack = (figure: Figure): string => `${share(figure.rolledBack)} %`;
const missed = (figure: Figure): string => `${share(1 - figure.rolledBack)} %`;
const lost = (figure: Figure): string => whole(figure.failedUntilRollBack);
const secondsToRollBack = (figure: Figure): string => whole(figure.secondsToRollBack);
const secondsToPromote = (figure: Figure): string => whole(figure.secondsToPromote);

/** What a reader should know who reads no further: where it is better, and where it is not. */
const digest: readonly DigestRow[] = [
  { says: "Nothing is wrong (10 rps, 1 % errors): rolled back all the same", cell: "healthy, 10 rps, 1 %", value: rolledBack },
  { says: "Nothing is wrong but a cold start (100 rps, 0.1 %): rolled back", cell: "cold, 100 rps, 0.1 %", value: rolledBack },
  { says: "Every request fails, 100 rps: requests lost until the traffic is back", cell: "100 rps, 0.1 % → 100 %", value: lost },
  { says: "Every request fails, 0.1 rps: seconds until it is back", cell: "0.1 rps, 0.1 % → 100 %", value: secondsToRollBack },
  { says: "Ten times the errors (100 rps, 0.1 % → 1 %): missed", cell: "100 rps, 0.1 % → 1 %", value: missed },
  { says: "Half as many again (100 rps, 1 % → 1.5 %): missed", cell: "100 rps, 1 % → 1.5 %", value: missed },
  { says: "Nothing is wrong (100 rps, 1 %): seconds to promotion", cell: "healthy, 100 rps, 1 %", value: secondsToPromote },
];

/** The short table as Markdown. */
export function digestOf(results: Results): string {
  const cells = new Map([...[...healthy, ...stressed].flatMap((group) => group.cells), ...degraded].map((cell) => [cell.name, cell]));
  const rows = digest.map(({ says, cell: name, value }) => {
    const cell = cells.get(name);
    if (!cell) throw new Error(`there is no cell ${name}`);
    return [says, ...playerNames.map((player) => value(results(cell, player)))];
  });
  return markdown(rows);
}

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

function groups(rows: readonly Group[], results: Results, value: (figure: Figure) => string): string {
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

function detection({ rolledBack, secondsToRollBack, failedUntilRollBack }: Figure): string {
  return `${share(1 - rolledBack)} / ${whole(secondsToRollBack)} / ${whole(failedUntilRollBack)}`;
}

function found({ rolledBack, secondsToRollBack }: Figure): string {
  return `${share(rolledBack)} / ${whole(secondsToRollBack)}`;
}
