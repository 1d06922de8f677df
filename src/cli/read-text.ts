import { readFile, stat } from "node:fs/promises";
import { messageOf } from "../lib/errors.ts";
import { isRecord } from "../lib/json.ts";
import { MisuseError } from "./misuse.ts";

/** What a file that the user named is read for. */
interface Wanted {
  /** What should be in it, as messages say it, e.g. `a manifest with a Canary`. */
  readonly what: string;
  readonly maxBytes: number;
}

/** Text of a file that the user named. Throws {@link MisuseError}, which names the file and what was expected of it. */
export async function readText(file: string, { what, maxBytes }: Wanted): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > maxBytes) throw new MisuseError(`${file} is larger than ${maxBytes} bytes, too large for ${what}`);
    return await readFile(file, "utf8");
  } catch (error) {
    throw error instanceof MisuseError ? error : new MisuseError(`${problemOf(file, error)}; name ${what}`);
  }
}

/** What is wrong with a file that cannot be read or written, in words that need no knowledge of error codes. */
export function problemOf(file: string, error: unknown): string {
  const code = isRecord(error) ? error["code"] : undefined;
  if (code === "ENOENT") return `there is no file ${file}`;
  if (code === "EISDIR") return `${file} is a folder, not a file`;
  if (code === "ENOTDIR") return `${file} is below a file, not a folder`;
  if (code === "EACCES" || code === "EPERM") return `you may not open ${file}`;
  return `${file} cannot be opened: ${messageOf(error)}`;
}
