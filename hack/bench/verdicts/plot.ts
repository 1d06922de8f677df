import type { Results } from "./figures.ts";
import { curves, percent, type PlayerName, playerNames } from "./scenarios.ts";

const colours: Readonly<Record<PlayerName, string>> = {
  Flagger: "#c2410c",
  Argo: "#a16207",
  Kayenta: "#7c3aed",
  "Serin, fixed": "#0284c7",
  "Serin, adaptive": "#0f766e",
};

const panel = { width: 380, height: 240, left: 46, top: 40, gap: 70 } as const;
const size = { width: 2 * (panel.left + panel.width) + panel.gap - 20, height: panel.top + panel.height + 80 } as const;

/** The operating characteristic as an SVG: for each rate of errors of the canary, how often it is rolled back; 100 rps. */
export function plotOf(results: Results): string {
  const panels = curves.map((curve, index) => {
    const left = panel.left + index * (panel.width + panel.gap);
    return `<g transform="translate(${left},${panel.top})">${axes(curve)}${lines(curve, results)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...panels,
    legend(),
    "</svg>\n",
  ].join("\n");
}

type Curve = (typeof curves)[number];

function axes({ baseline, cells }: Curve): string {
  const marks = [0, 25, 50, 75, 100].map((value) => {
    const y = panel.height * (1 - value / 100);
    return `<line x1="0" x2="${panel.width}" y1="${y}" y2="${y}" stroke="#ddd"/><text x="-6" y="${y + 4}" text-anchor="end">${value}</text>`;
  });
  const rates = cells.map(({ scenario }, index) => {
    return `<text x="${xOf(index, cells.length)}" y="${panel.height + 16}" text-anchor="middle">${Number((scenario.canaryErrors * 100).toPrecision(3))}</text>`;
  });
  const title = `<text x="0" y="-14" font-weight="bold">The primary fails ${percent(baseline)}: % of releases rolled back</text>`;
  const below = `<text x="${panel.width / 2}" y="${panel.height + 34}" text-anchor="middle">the canary fails … % (first: no change; second: still tolerated)</text>`;
  return [title, ...marks, ...rates, below].join("");
}

function lines({ cells }: Curve, results: Results): string {
  return playerNames
    .map((player) => {
      const points = cells.map((cell, index) => [xOf(index, cells.length), panel.height * (1 - results(cell, player).rolledBack)] as const);
      const dots = points.map(([x, y]) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3" fill="${colours[player]}"/>`).join("");
      const path = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
      return `<polyline points="${path}" fill="none" stroke="${colours[player]}" stroke-width="2"/>${dots}`;
    })
    .join("");
}

function xOf(index: number, count: number): number {
  return 12 + ((panel.width - 24) * index) / (count - 1);
}

function legend(): string {
  const y = panel.top + panel.height + 58;
  return playerNames
    .map((player, index) => {
      const x = panel.left + index * 165;
      return `<rect x="${x}" y="${y - 9}" width="18" height="4" fill="${colours[player]}"/><text x="${x + 24}" y="${y}">${player}</text>`;
    })
    .join("");
}
