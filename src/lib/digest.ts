import { createHash, createHmac } from "node:crypto";

/** Gives what stands for a value that must not be shown: the same for equal values. */
export type Digest = (value: string) => string;

/** Characters of a digest: enough to tell the values of one cluster apart. */
const digestLength = 16;
const idLength = 8;

/**
 * Digests that say nothing to those who do not have the key, not even whether a guess was right. They name the key that they
 * were made with (by a hash of it), so that nobody compares digests of two keys.
 * @param key random, at least 32 bytes
 */
export function keyedDigest(key: string): Digest {
  const id = createHash("sha256").update(`id of ${key}`).digest("hex").slice(0, idLength);
  return (value) => `hmac:${id}:${createHmac("sha256", key).update(value).digest("hex").slice(0, digestLength)}`;
}

/** Whether this is a digest by the same key. */
export function isDigestBy(digest: Digest, value: unknown): boolean {
  return typeof value === "string" && value.startsWith(digest("").slice(0, -digestLength));
}
