import type { Curve, Figure, Unit } from "./row.ts";
import type { Measured } from "./store.ts";

/** How a figure stands to its goal: `undefined` when it has none. */
export function isMet({ value, beside, limit }: Figure): boolean | undefined {
  if (limit === undefined) return undefined;
  return (beside ? value / beside.value : value) <= limit;
}

/** One figure in a line, for the terminal. */
export function describeFigure(figure: Figure): string {
  const parts = [`${figure.work}, ${figure.what}: ${amount(figure.value, figure.unit)}`, besideOf(figure), goalOf(figure)];
  return parts.filter((part) => part !== "").join("; ");
}

/** The text between the page's markers. */
export function reportOf(measured: readonly Measured[], plots: readonly { readonly file: string; readonly curve: Curve }[]): string {
  const figures = measured.flatMap(({ result }) => result?.figures ?? []);
  const judged = figures.flatMap((figure) => isMet(figure) ?? []);
  const failed = measured.filter(({ failed: message }) => message !== undefined);
  return [
    machinesOf(measured),
    "",
    `**${judged.filter(Boolean).length} of ${judged.length} goals are met.**`,
    "",
    ...tableOf(figures),
    ...missedOf(figures),
    ...failed.map(({ name, failed: message }) => `\nNot measured in the last run: ${name} (${message}).`),
    ...plots.flatMap(({ file, curve }) => ["", `![${curve.title}](${file})`]),
  ].join("\n");
}

function machinesOf(measured: readonly Measured[]): string {
  const machines = Map.groupBy(measured, ({ machine: { cores, memoryGiB, node } }) =>
    `${cores} ${cores === 1 ? "core" : "cores"} and ${memoryGiB} GiB of memory for everything together (API server, etcd, gateway, metrics, Git, Serin and its users), Node ${node}`);
  if (machines.size <= 1) return `Measured on ${[...machines.keys()].join()}.`;
  return [...machines].map(([machine, of]) => `Measured on ${machine}: ${of.map(({ name }) => name).join(", ")}.`).join("\n");
}

function tableOf(figures: readonly Figure[]): string[] {
  const rows = figures.map((figure, index) => {
    const work = figures[index - 1]?.work === figure.work ? "" : figure.work;
    const cells = [work, figure.what, amount(figure.value, figure.unit), besideOf(figure), goalOf(figure), figure.peer ?? ""];
    return `| ${cells.join(" | ")} |`;
  });
  return ["| Work | What | Serin | Beside | Goal | Peer |", "|---|---|---|---|---|---|", ...rows];
}

function missedOf(figures: readonly Figure[]): string[] {
  const missed = figures.filter((figure) => isMet(figure) === false);
  if (missed.length === 0) return [];
  const lines = missed.map(({ work, what, why = "not yet explained." }) => `- ${work}, ${what}: ${why}`);
  return ["", "What limits the goals that are missed:", "", ...lines];
}

function besideOf({ value, unit, beside }: Figure): string {
  return beside ? `${amount(beside.value, unit)} ${beside.what}: ${ratio(value / beside.value)}` : "";
}

function goalOf(figure: Figure): string {
  const { value, unit, beside, limit } = figure;
  if (limit === undefined) return "";
  const goal = `≤ ${beside ? ratio(limit) : amount(limit, unit)}`;
  if (isMet(figure) === true) return `${goal} ✓`;
  const over = beside ? ratio(value / beside.value - limit) : amount(value - limit, unit);
  return `${goal}, missed by ${over}`;
}

function ratio(value: number): string {
  return `${value.toFixed(2)}x`;
}

/** A value with its unit, with as many digits as can be told apart from noise. */
export function amount(value: number, unit: Unit): string {
  switch (unit) {
    case "requests":
    case "failed requests":
    case "events":
      return whole(value);
    case "B":
      return value < 10_000 ? `${whole(value)} B` : `${whole(value / 1_000)} kB`;
    case "%":
      return `${value.toFixed(2)} %`;
    case "s":
    case "ms":
    case "MiB":
      return `${threeDigits(value)} ${unit}`;
    default:
      return unit satisfies never;
  }
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}

function threeDigits(value: number): string {
  if (value >= 100) return whole(value);
  return value.toFixed(value < 10 ? 2 : 1);
}
