import type { Span, Style } from "./picture.ts";

/** Where the demo tells its story. */
export interface Screen {
  /** A heading of the story. */
  chapter(text: string): void;
  /** One line of it, with the time since the start. A terminal leaves the detail out where it has no room for it. */
  say(text: string, detail?: string): void;
  /** One line without a time, for something to copy. */
  show(text: string): void;
  /** What is going on right now; on a terminal it stays at the bottom, else it is left out. */
  live(draw: (width: number) => readonly (readonly Span[])[]): void;
  /** Removes what is live. Nothing is drawn after it. */
  end(): void;
}

/** The part of a stream that a screen writes to. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  /** Whether colours may be used: a terminal that can, and no NO_COLOR. */
  hasColors?(): boolean;
  write(text: string): unknown;
}

const escape = "\u001b[";
const codes: Record<Style, string> = { plain: "", faint: "2", strong: "1", good: "32", new: "36", bad: "31" };

/** A screen on a terminal, or plain lines anywhere else. */
export function createScreen(output: Output, sinceStartMs: () => number): Screen {
  const tty = output.isTTY === true;
  const coloured = tty && (output.hasColors?.() ?? true);
  const paint = ({ text, style }: Span) => (coloured && codes[style] !== "" ? `${escape}${codes[style]}m${text}${escape}0m` : text);
  const columns = () => output.columns ?? 80;
  let bottom: readonly string[] = [];
  let ended = false;
  // Up to the first live line, and everything from there on away.
  const clear = () => (bottom.length === 0 ? "" : `\r${bottom.length > 1 ? `${escape}${bottom.length - 1}A` : ""}${escape}J`);
  const print = (line: string) => void output.write(`${clear()}${line}\n${bottom.join("\n")}`);
  const time = () => `${(sinceStartMs() / 1_000).toFixed(1).padStart(6)}s`;
  return {
    chapter: (text) => print(`\n${tty ? paint({ text, style: "strong" }) : `== ${text}`}`),
    say: (text, detail = "") => {
      const fits = !tty || time().length + 4 + text.length + detail.length <= columns();
      print(`${paint({ text: time(), style: "faint" })}  ${text}${detail !== "" && fits ? `  ${detail}` : ""}`);
    },
    show: (text) => print(`         ${text}`),
    live: (draw) => {
      if (!tty || ended) return;
      const before = clear();
      // One column stays free: a full line would wrap, and could not be removed again.
      bottom = draw(columns() - 1).map((line) => line.map(paint).join(""));
      output.write(`${before}${bottom.join("\n")}`);
    },
    end: () => {
      if (bottom.length > 0) output.write(clear());
      bottom = [];
      ended = true;
    },
  };
}
