/** Values over a quantity that grows, under one name. */
export interface Line {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** What a plot shows. */
export interface Plot {
  readonly title: string;
  /** What is counted to the right, with its unit. */
  readonly x: string;
  /** What is counted upwards, with its unit; begins at 0. */
  readonly y: string;
  readonly lines: readonly Line[];
  /** A line across that values are held to. */
  readonly limit?: { readonly name: string; readonly y: number };
}

const area = { width: 620, height: 260, left: 60, top: 44 } as const;
const size = { width: area.left + area.width + 40, height: area.top + area.height + 84 } as const;
const colours = ["#0284c7", "#c2410c", "#0f766e", "#7c3aed", "#a16207"];

/** Draws lines as an SVG that reads well on white and on black pages. */
export function linePlot(plot: Plot): string {
  const all = plot.lines.flatMap(({ points }) => points);
  const right = Math.max(...all.map(({ x }) => x), 1);
  const top = roundUp(Math.max(...all.map(({ y }) => y), plot.limit?.y ?? 0, 1));
  const at = ({ x, y }: { x: number; y: number }): string =>
    `${((x / right) * area.width).toFixed(1)},${(area.height * (1 - y / top)).toFixed(1)}`;
  const drawn = plot.lines.map(({ points }, index) => {
    return `<polyline points="${points.map(at).join(" ")}" fill="none" stroke="${colourOf(index)}" stroke-width="2"/>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="20" y="22" font-weight="bold" font-size="14">${escaped(plot.title)}</text>`,
    `<g transform="translate(${area.left},${area.top})">${grid(plot, { right, top })}${drawn.join("")}${limitOf(plot, top)}</g>`,
    legend(plot.lines),
    "</svg>\n",
  ].join("\n");
}

function grid({ x, y }: Plot, { right, top }: { right: number; top: number }): string {
  const shares = [0, 0.25, 0.5, 0.75, 1];
  const across = shares.map((share) => {
    const height = area.height * (1 - share);
    const label = `<text x="-6" y="${height + 4}" text-anchor="end">${rounded(top * share)}</text>`;
    return `<line x1="0" x2="${area.width}" y1="${height}" y2="${height}" stroke="#ddd"/>${label}`;
  });
  const below = shares.map((share) => {
    return `<text x="${area.width * share}" y="${area.height + 16}" text-anchor="middle">${rounded(right * share)}</text>`;
  });
  const names = `<text x="${area.width / 2}" y="${area.height + 34}" text-anchor="middle">${escaped(x)}</text><text x="-52" y="-8">${escaped(y)}</text>`;
  return [...across, ...below, names].join("");
}

function limitOf({ limit }: Plot, top: number): string {
  if (!limit) return "";
  const height = area.height * (1 - limit.y / top);
  const line = `<line x1="0" x2="${area.width}" y1="${height}" y2="${height}" stroke="#444" stroke-dasharray="5 4"/>`;
  return `${line}<text x="${area.width}" y="${height - 5}" text-anchor="end">${escaped(limit.name)}</text>`;
}

function legend(lines: readonly Line[]): string {
  const y = area.top + area.height + 62;
  return lines
    .map(({ name }, index) => {
      const x = area.left + index * 190;
      return `<rect x="${x}" y="${y - 6}" width="18" height="4" fill="${colourOf(index)}"/><text x="${x + 24}" y="${y}">${escaped(name)}</text>`;
    })
    .join("");
}

function colourOf(index: number): string {
  return colours[index % colours.length] ?? "#000";
}

/** The next number above that people find round. */
function roundUp(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 4, 5, 10].find((multiple) => multiple * unit >= value);
  return (step ?? 10) * unit;
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
