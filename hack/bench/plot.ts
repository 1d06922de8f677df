import { amount } from "./report.ts";
import type { Curve } from "./row.ts";

const size = { width: 520, height: 300 } as const;
const area = { left: 70, right: 20, top: 40, bottom: 62 } as const;
const colours = { serin: "#0f766e", peer: "#c2410c" } as const;

/** A curve as an SVG that can be read on light and on dark pages; others count up by powers of ten. */
export function plotOf(curve: Curve): string {
  const all = [...curve.points, ...(curve.peer?.points ?? [])];
  const [xs, ys] = [all.map(({ beside }) => Math.log10(Math.max(1, beside))), all.map(({ value }) => value)];
  const [low, high, top] = [Math.min(...xs), Math.max(...xs), niceTop(Math.max(...ys))];
  const x = (beside: number): number => {
    const part = high === low ? 0.5 : (Math.log10(Math.max(1, beside)) - low) / (high - low);
    return area.left + part * (size.width - area.left - area.right);
  };
  const y = (value: number): number => area.top + (1 - value / top) * (size.height - area.top - area.bottom);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="${area.left}" y="22" font-weight="bold">${escaped(curve.title)}</text>`,
    ...gridOf(curve, { top, y }),
    ...[...new Set(all.map(({ beside }) => beside))].map((beside) =>
      `<text x="${x(beside).toFixed(1)}" y="${size.height - area.bottom + 18}" text-anchor="middle">${beside.toLocaleString("en")}</text>`),
    `<text x="${(area.left + size.width - area.right) / 2}" y="${size.height - area.bottom + 36}" text-anchor="middle">${escaped(curve.others)}</text>`,
    ...(curve.peer ? [lineOf(curve.peer.points, { x, y, colour: colours.peer }), legendOf(curve.peer.name)] : []),
    lineOf(curve.points, { x, y, colour: colours.serin }),
    "</svg>\n",
  ].join("\n");
}

function gridOf({ unit }: Curve, { top, y }: { top: number; y: (value: number) => number }): string[] {
  return [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const at = y(part * top).toFixed(1);
    const line = `<line x1="${area.left}" x2="${size.width - area.right}" y1="${at}" y2="${at}" stroke="#ddd"/>`;
    return `${line}<text x="${area.left - 6}" y="${Number(at) + 4}" text-anchor="end">${amount(part * top, unit)}</text>`;
  });
}

interface Line {
  readonly x: (beside: number) => number;
  readonly y: (value: number) => number;
  readonly colour: string;
}

function lineOf(points: Curve["points"], { x, y, colour }: Line): string {
  const places = points.map(({ beside, value }) => [x(beside).toFixed(1), y(value).toFixed(1)] as const);
  const dots = places.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3.5" fill="${colour}"/>`).join("");
  return `<polyline points="${places.map((place) => place.join(",")).join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/>${dots}`;
}

function legendOf(peer: string): string {
  const y = size.height - 8;
  return [["Serin", colours.serin, area.left], [peer, colours.peer, area.left + 90]]
    .map(([name, colour, x]) => `<rect x="${x}" y="${y - 8}" width="18" height="4" fill="${colour}"/><text x="${Number(x) + 24}" y="${y}">${escaped(String(name))}</text>`)
    .join("");
}

/** The next 1, 2 or 5 times a power of ten. */
function niceTop(highest: number): number {
  if (highest <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(highest));
  return power * ([1, 2, 5].find((step) => step * power >= highest) ?? 10);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
