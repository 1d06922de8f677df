/** Where the demo tells its story. */
export interface Screen {
  /** A heading of the story. */
  chapter(text: string): void;
  /** One line of it, with the time since the start. */
  say(text: string): void;
  /** What is going on right now; on a terminal it stays at the bottom, else it is left out. */
  live(text: string): void;
  /** Removes the live line. */
  end(): void;
}

/** The part of a stream that a screen writes to. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const bold = (text: string) => `\u001b[1m${text}\u001b[0m`;
const faint = (text: string) => `\u001b[2m${text}\u001b[0m`;

/** A screen on a terminal, or plain lines anywhere else. */
export function createScreen(output: Output, sinceStartMs: () => number): Screen {
  const tty = output.isTTY === true;
  let bottom = "";
  const clear = () => (bottom === "" ? "" : "\r\u001b[2K");
  const print = (line: string) => output.write(`${clear()}${line}\n${bottom}`);
  const time = () => `${(sinceStartMs() / 1_000).toFixed(1).padStart(6)}s`;
  return {
    chapter: (text) => print(`\n${tty ? bold(text) : `== ${text}`}`),
    say: (text) => print(`${tty ? faint(time()) : time()}  ${text}`),
    live: (text) => {
      if (!tty) return;
      output.write(clear());
      bottom = text.slice(0, (output.columns ?? 100) - 1);
      output.write(bottom);
    },
    end: () => {
      output.write(clear());
      bottom = "";
    },
  };
}

/** A bar of the canary's share of traffic, e.g. `████░░░░░░░░░░░░░░░░  20 %`. */
export function weightBar(weight: number): string {
  const width = 20;
  const filled = Math.round((weight / 100) * width);
  return `${"█".repeat(filled)}${"░".repeat(width - filled)} ${String(weight).padStart(3)} %`;
}
