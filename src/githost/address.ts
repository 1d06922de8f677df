import type { GitRepositorySpec } from "../api/git-repository.ts";
import { StalledError } from "../lib/errors.ts";
import type { GitHostOptions } from "./git-host.ts";

/** Which API a host speaks, as in `spec.host.kind`. */
export type HostKind = NonNullable<GitRepositorySpec["host"]>["kind"];

/** Where one repository is found on its host. */
export type HostAddress = Pick<GitHostOptions, "apiURL" | "owner" | "repository">;

/**
 * Reads the host's API address, the owner and the repository's name out of a GitRepository.
 * Throws {@link StalledError} with reason `HostAddressInvalid`, naming the field, on what cannot be read.
 * @param repositoryURL as in `spec.url`
 * @param apiURL as in `spec.host.apiURL`
 */
export function hostAddress(kind: HostKind, repositoryURL: string, apiURL?: string): HostAddress {
  const url = webURL(repositoryURL, "spec.url");
  const shown = trimmed(url);
  const names = url.pathname.split("/").filter((part) => part !== "").map((part) => decodeName(part, shown));
  const repository = names.pop()?.replace(/\.git$/, "");
  const owner = names.pop();
  if (!owner || !repository) throw invalid(`spec.url ${shown} names no owner and repository; write https://host/owner/repository`);
  if (apiURL !== undefined) return { apiURL: trimmed(webURL(apiURL, "spec.host.apiURL")), owner, repository };
  if (kind === "gitea") return { apiURL: trimmed(new URL(`/${[...names, "api", "v1"].join("/")}`, url)), owner, repository };
  // A token must never reach a host that it was not made for: only github.com itself has a default.
  if (!/^(www\.)?github\.com$/.test(url.hostname)) {
    const enterprise = `for GitHub Enterprise Server https://${url.host}/api/v3`;
    throw invalid(`spec.url is on ${url.hostname}, not on github.com: set spec.host.apiURL, ${enterprise}`);
  }
  if (names.length > 0) throw invalid(`spec.url ${shown} has more than an owner and a repository in its path`);
  return { apiURL: "https://api.github.com", owner, repository };
}

function webURL(text: string, field: string): URL {
  const url = URL.parse(text);
  if (url?.protocol !== "https:" && url?.protocol !== "http:") throw invalid(`${field} is not an http:// or https:// address`);
  if (url.username || url.password) throw invalid(`${field} holds credentials; put them into the Secret of spec.secretRef`);
  return url;
}

function decodeName(part: string, shown: string): string {
  let name: string;
  try {
    name = decodeURIComponent(part);
  } catch {
    throw invalid(`spec.url ${shown} has a broken % sequence in its path`);
  }
  if (!/^[\w.-]+$/.test(name)) throw invalid(`spec.url ${shown}: "${name}" cannot be the name of an owner or a repository`);
  return name;
}

function trimmed(url: URL): string {
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}

function invalid(message: string): StalledError {
  return new StalledError("HostAddressInvalid", message);
}
