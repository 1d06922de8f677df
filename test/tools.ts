import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * Whether a tool that some tests meet for real is on PATH. A machine without it passes those tests over; in CI everything is
 * installed, so there a missing one is an error and nothing is passed over unseen.
 */
export function hasTool(name: string): boolean {
  const found = (process.env["PATH"] ?? "").split(delimiter).some((folder) => isExecutable(join(folder, name)));
  if (!found && process.env["CI"] === "true") throw new Error(`${name} is not on PATH, but .ci/run must install it`);
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
