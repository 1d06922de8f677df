import { StalledError } from "../lib/errors.ts";

/**
 * The token as it may stand in a header: a Secret made from a file often ends with a newline.
 * Throws {@link StalledError} `HostCredentialsInvalid` when nothing is left or it holds what no token holds.
 */
export function headerToken(token: string): string {
  const trimmed = token.trim();
  if (trimmed === "" || /[^\x21-\x7e]/.test(trimmed)) {
    throw new StalledError("HostCredentialsInvalid", "spec.host.secretRef: the token is empty or holds spaces or control characters");
  }
  return trimmed;
}
