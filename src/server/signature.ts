import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** A sender of webhooks, told apart by its headers. */
type HookProvider = "gitea" | "github" | "gitlab" | "generic";

/** Who sent a request and what happened there, as its headers claim. */
export interface HookClaim {
  readonly provider: HookProvider;
  /** The provider's word for it; `undefined`: it does not say, so everything counts. */
  readonly event: string | undefined;
  /** Whether the sender knows the token. Takes the same time whatever is wrong. */
  isSigned(body: Uint8Array, token: string): boolean;
}

/** Reads the claim, or `undefined` when no known signature is there. */
export function hookClaim(headers: IncomingHttpHeaders): HookClaim | undefined {
  const text = (name: string) => {
    const value = headers[name];
    return typeof value === "string" ? value : undefined;
  };
  const hmac = (hex: string) => (body: Uint8Array, token: string) => isHmac(body, token, hex);
  // Gitea and Forgejo also send GitHub's headers, so they are asked first.
  const gitea = text("x-gitea-signature");
  if (gitea !== undefined) return { provider: "gitea", event: text("x-gitea-event"), isSigned: hmac(gitea) };
  const github = text("x-hub-signature-256");
  if (github !== undefined) return { provider: "github", event: text("x-github-event"), isSigned: hmac(hexOf(github)) };
  const gitlab = text("x-gitlab-token");
  if (gitlab !== undefined) return { provider: "gitlab", event: text("x-gitlab-event"), isSigned: (_, token) => isSame(gitlab, token) };
  const generic = text("x-signature");
  return generic === undefined ? undefined : { provider: "generic", event: undefined, isSigned: hmac(hexOf(generic)) };
}

function hexOf(signature: string): string {
  return signature.startsWith("sha256=") ? signature.slice("sha256=".length) : "";
}

function isHmac(body: Uint8Array, token: string, hex: string): boolean {
  return isSame(hex.toLowerCase(), createHmac("sha256", token).update(body).digest("hex"));
}

/** Both are hashed first: so they are of one length, and the time says nothing about where they differ. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
