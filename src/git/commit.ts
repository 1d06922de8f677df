import { GitError, type NewCommit, type Person } from "./git.ts";
import type { ObjectStore } from "./objects.ts";
import { isSignedBy, signSsh } from "./ssh-signature.ts";
import { commitBytes, emptyTree, readCommit } from "./tree.ts";

const signatureHeader = /(?:^|\n)gpgsig [^\n]*(?:\n [^\n]*)*/;

/** Writes a commit and returns its id, which depends on nothing but the argument. */
export function writeCommit(store: ObjectStore, commit: NewCommit): string {
  if (commit.tree === emptyTree) store.write("tree", Buffer.alloc(0));
  if (!store.has(commit.tree)) throw new GitError("GitOperationFailed", `tree ${commit.tree} is not in the repository; compute it again`);
  const seconds = Math.floor(Date.parse(commit.time) / 1_000);
  if (Number.isNaN(seconds)) throw new GitError("GitOperationFailed", `"${commit.time}" is not a time; write it like 2026-01-31T12:00:00Z`);
  const person = `${nameOf(commit.author)} <${clean(commit.author.email)}> ${seconds} +0000`;
  const head = [
    `tree ${commit.tree}`,
    ...commit.parents.map((parent) => `parent ${parent}`),
    `author ${person}`,
    `committer ${person}`,
  ].join("\n");
  const message = `\n\n${commit.message.replaceAll("\0", "").trimEnd()}\n`;
  const payload = Buffer.from(head + message);
  if (commit.signingKey === undefined) return store.write("commit", payload);
  const signature = signSsh(payload, commit.signingKey).trimEnd().replaceAll("\n", "\n ");
  return store.write("commit", Buffer.from(`${head}\ngpgsig ${signature}${message}`));
}

function nameOf({ name, email }: Person): string {
  return clean(name) || clean(email) || "unknown";
}

/** Without what would end the field in a commit's header. */
function clean(text: string): string {
  return text.replace(/[<>\p{Cc}]/gu, "").trim();
}

/** Whether a commit's signature is a good one by this SSH key. The signed bytes are the commit's own without the signature. */
export function isCommitSignedBy(store: ObjectStore, oid: string, key: string): boolean {
  const { signature } = readCommit(store, oid);
  if (signature === undefined) return false;
  const text = commitBytes(store, oid).toString("latin1");
  const end = text.indexOf("\n\n");
  const head = end < 0 ? text : text.slice(0, end);
  const payload = head.replace(signatureHeader, "") + (end < 0 ? "" : text.slice(end));
  return isSignedBy(Buffer.from(payload, "latin1"), signature, key);
}
