import { type CauseField, type RevisionContent, revisionContent } from "../../api/cause.ts";
import type { KubeObject } from "../../api/object.ts";
import type { Revert } from "../../api/revert.ts";
import { secretDigest } from "../../canary/revision.ts";
import { isRecord } from "../../lib/json.ts";
import { configAsWritten } from "../../revert/cause.ts";
import { parsePath, valueAt } from "../../revert/path.ts";
import type { RevertDeps } from "./deps.ts";

/** Whether the field can be compared: of a Secret at least one digest must be known. */
export function isComparable({ secret, promoted, failed }: CauseField): boolean {
  return secret !== true || promoted !== undefined || failed !== undefined;
}

/**
 * The fields of a cause with digests in the place of a Secret's values, as the ControllerRevisions of the promoted and the
 * failed revision keep them. Where those are gone the field stays without values.
 */
export async function withDigests(
  { kube }: Pick<RevertDeps, "kube">,
  { metadata, spec }: Revert,
  signal: AbortSignal,
): Promise<CauseField[]> {
  const { cause, canaryRef, evidence } = spec;
  if (!cause.some(({ secret }) => secret)) return [...cause];
  const read = (revision: string | undefined) =>
    recordedContent(kube, { namespace: metadata.namespace, name: `${canaryRef.name}-${revision ?? ""}` }, signal);
  const [promoted, failed] = await Promise.all([read(evidence?.promotedRevision), read(evidence?.revision)]);
  if (!promoted || !failed) return [...cause];
  return cause.map((field) =>
    field.secret ? { ...field, promoted: recordedValue(promoted, field), failed: recordedValue(failed, field) } : field,
  );
}

/** What a revision consisted of, as kept beside the Canary; `undefined`: nobody keeps it any more. */
export async function recordedContent(
  kube: RevertDeps["kube"],
  { namespace, name }: { namespace: string | undefined; name: string },
  signal: AbortSignal,
): Promise<RevisionContent | undefined> {
  const stored = await kube.find({ apiVersion: "apps/v1", kind: "ControllerRevision", namespace, name }, signal);
  return revisionContent.safeParse(stored?.["data"]).data;
}

/** Value of a field in a kept revision; of a Secret its digest. */
export function recordedValue(content: RevisionContent, { object, path }: CauseField): unknown {
  const root = object.startsWith("Deployment/") ? { spec: { template: content.template } } : configAsWritten(content.configs[object]);
  return valueAt(root, parsePath(path));
}

/** Rendered objects with digests in the place of the values of Secrets, `stringData` included: what can be compared and shown. */
export function digested(objects: readonly KubeObject[]): KubeObject[] {
  return objects.map((object) =>
    object.kind === "Secret"
      ? { apiVersion: object.apiVersion, kind: object.kind, metadata: object.metadata, data: digestsOf(object) }
      : object,
  );
}

function digestsOf(secret: KubeObject): Record<string, string> {
  const values = Object.entries(renderedSecret(secret));
  return Object.fromEntries(values.map(([key, base64]) => [key, secretDigest(base64)]));
}

/** The `data` that the API server would store for a rendered Secret. */
export function renderedSecret({ data, stringData }: KubeObject): Record<string, string> {
  const written = Object.entries(isRecord(data) ? data : {}).map(([key, value]) => [
    key,
    Buffer.from(String(value), "base64").toString("base64"),
  ]);
  const plain = Object.entries(isRecord(stringData) ? stringData : {}).map(([key, value]) => [
    key,
    Buffer.from(String(value)).toString("base64"),
  ]);
  return Object.fromEntries([...written, ...plain]) as Record<string, string>;
}
