import { parseArgs } from "node:util";
import { parseDurationMs } from "../../src/lib/duration.ts";

/** What `npm run cluster` was asked for. */
export interface Options {
  readonly buildOnly: boolean;
  readonly keep: boolean;
  readonly scrapeIntervalMs: number;
  /** What runs inside; empty: nothing, and everything stays up until told to stop. */
  readonly command: readonly string[];
}

/** How it is used. */
export const usage = `A real Kubernetes control plane with a gateway, metrics and a Git host, in a network namespace of its own.

Usage: npm run cluster [-- [flags] [COMMAND...]]

Without a command it publishes everything on 127.0.0.1 and stays up until Ctrl-C. With one, the command runs inside, and
everything ends with it.

  --build-only             Build what is missing and end.
  --scrape-interval TIME   How often Prometheus looks. Default: 1s.
  --keep                   Leave the files of the run behind: logs, audit log, data.
`;

/** `undefined`: help was asked for. Flags after the command are the command's. Throws on one that is not known. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const flags = {
    "build-only": { type: "boolean" },
    keep: { type: "boolean" },
    "scrape-interval": { type: "string" },
    help: { type: "boolean", short: "h" },
  } as const;
  const { tokens } = parseArgs({ args: [...args], options: flags, allowPositionals: true, strict: false, tokens: true });
  const first = tokens.find(({ kind }) => kind === "positional");
  const at = first?.index ?? args.length;
  const { values } = parseArgs({ args: args.slice(0, at), options: flags, strict: true });
  if (values.help === true) return undefined;
  return {
    buildOnly: values["build-only"] === true,
    keep: values.keep === true,
    scrapeIntervalMs: parseDurationMs(values["scrape-interval"] ?? "1s"),
    command: args.slice(at),
  };
}
