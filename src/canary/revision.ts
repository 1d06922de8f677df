import { binaryPrefix, type RevisionContent } from "../api/cause.ts";
import type { KubeObject } from "../api/object.ts";
import type { Digest } from "../lib/digest.ts";
import { hashJson, isRecord } from "../lib/json.ts";
import { type ConfigKind, configsOf } from "./configs.ts";

/** On a ConfigMap or Secret: `disabled` keeps it out of the revision, and the primary reads the original. */
export const configTracking = "serin.dev/config-tracking";

/** Types of Secrets that a person writes; those that controllers keep (service account tokens, …) are no release. */
const releasedSecrets = new Set([undefined, "Opaque", "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth", "kubernetes.io/tls"]);

/** What a target runs now, pinned. */
export interface Revision {
  /** Stable identity: version tag and hash of the content, e.g. `v1-3f2a91c07b`. Not changed by an upgrade of Serin. */
  readonly id: string;
  readonly content: RevisionContent;
  /** Checksum of each tracked config by kind/name; `absent` for one that does not exist. */
  readonly checksums: Readonly<Record<string, string>>;
}

/**
 * The revision that a Deployment is at. Everything in the pod template counts, also an annotation that only asks for a
 * restart, and the data of each tracked config.
 * @param find the live ConfigMap or Secret of the target's namespace
 * @param digest stands for the values of Secrets
 */
export function revisionOf(
  target: KubeObject,
  find: (kind: ConfigKind, name: string) => KubeObject | undefined,
  digest: Digest,
): Revision {
  const template = templateOf(target);
  const found = configsOf(template).map((key) => {
    const [kind, name] = splitKey(key);
    return [key, find(kind, name)] as const;
  });
  const tracked = found.flatMap(([key, config]) => (config && isTracked(config) ? [[key, dataOf(config, digest)] as const] : []));
  const content: RevisionContent = { template, configs: Object.fromEntries(tracked) };
  const checksums = found.flatMap(([key, config]) => {
    if (!config) return [[key, "absent"] as const];
    const data = content.configs[key];
    return data ? [[key, hashJson(data).slice(0, 10)] as const] : [];
  });
  return { id: identityOf(content), content, checksums: Object.fromEntries(checksums) };
}

/** Identity of a revision's content; equal content, equal identity. */
export function identityOf(content: RevisionContent): string {
  return `v1-${hashJson([content.template, content.configs]).slice(0, 10)}`;
}

/** The pod template of a Deployment. */
export function templateOf(deployment: KubeObject): Record<string, unknown> {
  const spec = deployment["spec"];
  return isRecord(spec) && isRecord(spec["template"]) ? spec["template"] : {};
}

/** Whether a pod template reads a Secret, whose value needs a digest. */
export function readsSecrets(template: Readonly<Record<string, unknown>>): boolean {
  return configsOf(template).some((key) => key.startsWith("Secret/"));
}

/** `["ConfigMap", "app"]` of `ConfigMap/app`. */
export function splitKey(key: string): [ConfigKind, string] {
  const slash = key.indexOf("/");
  return [key.slice(0, slash) === "Secret" ? "Secret" : "ConfigMap", key.slice(slash + 1)];
}

function isTracked({ kind, metadata, type }: KubeObject): boolean {
  if (metadata.annotations?.[configTracking] === "disabled") return false;
  return kind !== "Secret" || releasedSecrets.has(typeof type === "string" ? type : undefined);
}

/** The data of a config as revisions keep it: of a Secret only a digest of each value's base64, of binary data its base64 text. */
export function dataOf(config: KubeObject, digest: Digest): Record<string, string> {
  const secret = config.kind === "Secret";
  const plain = texts(config["data"]).map(([key, value]) => [key, secret ? digest(value) : value]);
  const binary = secret ? [] : texts(config["binaryData"]).map(([key, value]) => [`${binaryPrefix}${key}`, value]);
  return Object.fromEntries([...plain, ...binary]);
}

function texts(data: unknown): [string, string][] {
  return isRecord(data) ? Object.entries(data).filter((entry): entry is [string, string] => typeof entry[1] === "string") : [];
}
