import type { Evidence } from "../api/cause.ts";

/** All branches of ours begin with this. */
export const branchPrefix = "serin/revert/";

/** Where a revert branch belongs. */
export interface BranchName {
  readonly cluster: string;
  readonly namespace: string;
  readonly canary: string;
  /** Hash of the cause's deciding fields. */
  readonly id: string;
}

/** The branch of one revert: the same cause on the same cluster always has the same (design rule 6). */
export function branchName({ cluster, namespace, canary, id }: BranchName): string {
  return `${branchPrefix}${cluster}/${namespace}/${canary}/${id}`;
}

/** The reverse of {@link branchName}; `undefined` for a branch that is not of this form. */
export function parseBranchName(branch: string): BranchName | undefined {
  const match = /^serin\/revert\/([^/]+)\/([^/]+)\/([^/]+)\/([0-9a-f]{7})$/.exec(branch);
  if (!match) return undefined;
  const [, cluster = "", namespace = "", canary = "", id = ""] = match;
  return { cluster, namespace, canary, id };
}

/** What the trailers of a revert commit say. */
export interface Trailers {
  readonly cluster: string;
  /** uid of the namespace kube-system. */
  readonly clusterUid: string;
  /** `namespace/name`. */
  readonly sync: string;
  /** `namespace/name`. */
  readonly canary: string;
  /** Undone commits, newest first. */
  readonly reverts: readonly string[];
  readonly scope: "Canary" | "Commit";
  /** Name of the Revert. */
  readonly revert: string;
}

/** Message of the revert commit. Deterministic: making it again gives the same commit id. */
export function commitMessage(trailers: Trailers, subjects: readonly string[], evidence: Evidence | undefined): string {
  const [first = "a change", ...more] = subjects;
  const others = more.length > 0 ? ` and ${more.length} more` : "";
  const undone = trailers.reverts.map((commit) => `This reverts commit ${commit}${trailers.scope === "Canary" ? ", as far as the canary needs it" : ""}.`);
  const why = evidence ? [`The release was rolled back: ${evidence.sentence}`] : [];
  const analysis = evidence ? [`Serin-Analysis: ${evidence.reason} of ${evidence.revision} at ${evidence.failedAt}`] : [];
  return [`Revert "${first}"${others}`, undone.join("\n"), ...why, [...trailerLines(trailers), ...analysis].join("\n")].join("\n\n") + "\n";
}

function trailerLines({ cluster, clusterUid, sync, canary, reverts, scope, revert }: Trailers): string[] {
  return [
    `Serin-Cluster: ${cluster}`,
    `Serin-Cluster-UID: ${clusterUid}`,
    `Serin-Sync: ${sync}`,
    `Serin-Canary: ${canary}`,
    ...reverts.map((commit) => `Serin-Reverts: ${commit}`),
    `Serin-Scope: ${scope}`,
    `Serin-Revert: ${revert}`,
  ];
}

/** Reads the trailers of a commit message; `undefined` when Serin did not make the commit. */
export function parseTrailers(message: string): Trailers | undefined {
  const values = (name: string) =>
    [...message.matchAll(new RegExp(`^Serin-${name}: (.+)$`, "gm"))].map(([, value]) => (value ?? "").trim());
  const [cluster] = values("Cluster");
  const [sync] = values("Sync");
  const [canary] = values("Canary");
  const [revert] = values("Revert");
  const reverts = values("Reverts").filter((commit) => /^[0-9a-f]{40}$/.test(commit));
  if (!cluster || !sync || !canary || !revert || reverts.length === 0) return undefined;
  return {
    cluster,
    clusterUid: values("Cluster-UID")[0] ?? "",
    sync,
    canary,
    reverts,
    scope: values("Scope")[0] === "Commit" ? "Commit" : "Canary",
    revert,
  };
}

/** Whether Serin made this commit, or the host merged Serin's pull request with it (design rule 9: never reverted). */
export function isSerinCommit(message: string, mergedMessages: readonly string[]): boolean {
  return (
    [message, ...mergedMessages].some((text) => parseTrailers(text) !== undefined) ||
    /^Merge (pull request|branch) .*serin\/revert\//m.test(message)
  );
}

/** The commits that a message says it reverts, as `git revert` and the hosts' buttons write it. */
export function revertedCommits(message: string): string[] {
  return [...message.matchAll(/\breverts commit ([0-9a-f]{40})\b/gi)].map(([, oid]) => oid ?? "");
}

/** Whether Serin made this commit for the Revert of this name. */
export function namesRevert(message: string, revert: string): boolean {
  return parseTrailers(message)?.revert === revert;
}

/** First line of a commit message. */
export function subjectOf(message: string): string {
  return message.split("\n", 1)[0] ?? "";
}
