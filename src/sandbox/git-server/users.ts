import { timingSafeEqual } from "node:crypto";

/** An account. */
export interface GitUser {
  readonly login: string;
  readonly password: string;
  /** May do whatever the user may do. */
  readonly token: string;
  /** May only read, as a token without the scope write:repository. */
  readonly readOnlyToken?: string | undefined;
}

/** Who sent a request and what their credentials allow. */
export interface Caller {
  readonly login: string;
  readonly mayWrite: boolean;
}

/**
 * Who the Authorization header names: `undefined` without one, "unknown" when it fits nobody. Takes `token …`, `Bearer …` and
 * Basic with the password or a token in its place.
 */
export function callerOf(users: readonly GitUser[], authorization: string | undefined): Caller | "unknown" | undefined {
  if (authorization === undefined) return undefined;
  const [scheme = "", value = ""] = authorization.split(" ", 2);
  switch (scheme.toLowerCase()) {
    case "token":
    case "bearer":
      return byToken(users, value) ?? "unknown";
    case "basic":
      return byBasic(users, Buffer.from(value, "base64").toString()) ?? "unknown";
    default:
      return "unknown";
  }
}

function byBasic(users: readonly GitUser[], pair: string): Caller | undefined {
  const colon = pair.indexOf(":");
  const login = pair.slice(0, colon);
  const secret = pair.slice(colon + 1);
  const user = users.find((candidate) => candidate.login === login && same(candidate.password, secret));
  // Any name will do beside a token, also as git sends it: token in either place.
  return user ? { login: user.login, mayWrite: true } : (byToken(users, secret) ?? byToken(users, login));
}

function byToken(users: readonly GitUser[], token: string): Caller | undefined {
  for (const { login, token: full, readOnlyToken } of users) {
    if (same(full, token)) return { login, mayWrite: true };
    if (readOnlyToken !== undefined && same(readOnlyToken, token)) return { login, mayWrite: false };
  }
  return undefined;
}

function same(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && left.length > 0 && timingSafeEqual(left, right);
}
