/** How a line is set apart; a terminal without colours shows all alike. */
export type Style = "plain" | "faint" | "strong" | "good" | "new" | "bad";

/** A piece of a line. */
export interface Span {
  readonly text: string;
  readonly style: Style;
}

/** One version of the shop, and what it answered in the second before. */
export interface VersionRate {
  /** Its tag. */
  readonly version: string;
  readonly perSecond: number;
  /** Percent of its answers that were errors. */
  readonly errors: number;
}

/** How a release stands at one moment. */
export interface Sample {
  readonly phase: string;
  /** The canary's share of traffic, percent. */
  readonly weight: number;
  readonly primary: VersionRate;
  /** `undefined`: no canary runs. */
  readonly canary: VersionRate | undefined;
  /** Requests since the start, and how many of them users lost. */
  readonly sent: number;
  readonly lost: number;
}

const barWidth = 24;
const blocks = "▁▂▃▄▅▆▇█";

/** A bar of a share of traffic in percent, e.g. `█████░░░░░░░░░░░░░░░░░░░`. */
export function bar(percent: number): string {
  const filled = Math.round((Math.min(100, Math.max(0, percent)) / 100) * barWidth);
  return "█".repeat(filled) + "░".repeat(barWidth - filled);
}

/** A history in one line, one column a value, newest last; `top` is the value that fills a column. */
export function sparkline(values: readonly number[], top: number): string {
  return values.map((value) => blocks[Math.min(blocks.length - 1, Math.ceil((Math.max(0, value) / top) * (blocks.length - 1)))]).join("");
}

/** One change of weight or phase as a line of the story. */
export function changeLine({ phase, weight }: Sample): string {
  return `${bar(weight)} ${percent(weight)}  ${phase}`;
}

/** What each version answered, for the same line. */
export function ratesLine({ primary, canary }: Sample): string {
  const versions = [primary, ...(canary && canary.version !== primary.version ? [canary] : [])];
  return versions.map((rate) => `shop:${rate.version} ${ratesOf(rate)}`).join(" · ");
}

/** What is going on right now, with a short history: four lines of at most this width. Nothing before the first sample. */
export function picture(samples: readonly Sample[], width: number): Span[][] {
  const now = samples.at(-1);
  if (!now) return [];
  return [headline(now), row("primary", 100 - now.weight, now.primary), canaryRow(now), history(samples, width)].map((line) =>
    cut(line, width),
  );
}

function headline({ phase, weight, sent, lost }: Sample): Span[] {
  return [
    { text: `── ${phase}`, style: phase === "Failed" ? "bad" : "strong" },
    { text: `, canary at ${weight} %, users lost `, style: "plain" },
    { text: `${lost} of ${sent}`, style: lost > 0 ? "bad" : "plain" },
    { text: " requests", style: "plain" },
  ];
}

function row(role: string, share: number, rate: VersionRate): Span[] {
  const bad = rate.errors >= 1;
  return [
    { text: `   ${role.padEnd(8)} ${tagOf(rate)} `, style: "plain" },
    { text: bar(share), style: role === "primary" ? "good" : "new" },
    { text: ` ${percent(share)}  `, style: "plain" },
    { text: ratesOf(rate), style: bad ? "bad" : "plain" },
  ];
}

function canaryRow({ weight, primary, canary }: Sample): Span[] {
  if (!canary) return [{ text: `   canary   ${"none".padEnd(10)} ${bar(0)} ${percent(0)}`, style: "faint" }];
  if (canary.version !== primary.version) return row("canary", weight, canary);
  // Answers tell versions apart by their tag: with the same image they are counted together, above.
  return [...row("canary", weight, canary).slice(0, 3), { text: "the same image, counted above", style: "faint" }];
}

function history(samples: readonly Sample[], width: number): Span[] {
  const columns = Math.max(4, Math.min(60, Math.floor((width - 30) / 2)));
  const shown = samples.slice(-columns);
  const errors = shown.map(({ primary, canary }) => Math.max(primary.errors, canary?.errors ?? 0));
  return [
    { text: "   weight ", style: "faint" },
    { text: sparkline(shown.map(({ weight }) => weight), 100).padEnd(columns), style: "new" },
    { text: "  errors ", style: "faint" },
    { text: sparkline(errors, Math.max(10, ...errors)), style: errors.some((value) => value >= 1) ? "bad" : "good" },
  ];
}

function ratesOf({ perSecond, errors }: VersionRate): string {
  return `${perSecond.toFixed(0).padStart(2)} req/s ${errors.toFixed(1).padStart(4)} % errors`;
}

function percent(value: number): string {
  return `${String(value).padStart(3)} %`;
}

function tagOf({ version }: VersionRate): string {
  const tag = `shop:${version}`;
  return tag.length > 10 ? `${tag.slice(0, 9)}…` : tag.padEnd(10);
}

/** The line's first columns; every character here is one column wide. */
function cut(line: readonly Span[], width: number): Span[] {
  let left = width;
  return line.flatMap(({ text, style }) => {
    const kept = text.slice(0, left);
    left -= kept.length;
    return kept === "" ? [] : [{ text: kept, style }];
  });
}
