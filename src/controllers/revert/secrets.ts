import { type CauseField, configAsWritten, type RevisionContent, revisionContent } from "../../api/cause.ts";
import type { KubeObject } from "../../api/object.ts";
import { type Digest, isDigestBy } from "../../lib/digest.ts";
import { isRecord } from "../../lib/json.ts";
import { parsePath, valueAt } from "../../revert/path.ts";
import type { RevertDeps } from "./deps.ts";

/** Digests of the key that those in a cause were made with; where it has none, digests for the moment will do. */
export function digestFor(
  { digests }: Pick<RevertDeps, "digests">,
  namespace: string,
  cause: readonly CauseField[],
  signal: AbortSignal,
): Promise<Digest> {
  return cause.some(({ secret }) => secret) ? digests.of(namespace, signal) : Promise.resolve(digests.passing);
}

/** Whether the field can be compared: of a Secret at least one digest must be known, by the key that there is now. */
export function isComparable({ secret, promoted, failed }: CauseField, digest: Digest): boolean {
  return secret !== true || [promoted, failed].some((known) => isDigestBy(digest, known));
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
export function digested(objects: readonly KubeObject[], digest: Digest): KubeObject[] {
  return objects.map((object) =>
    object.kind === "Secret"
      ? { apiVersion: object.apiVersion, kind: object.kind, metadata: object.metadata, data: digestsOf(object, digest) }
      : object,
  );
}

function digestsOf(secret: KubeObject, digest: Digest): Record<string, string> {
  return Object.fromEntries(Object.entries(renderedSecret(secret)).map(([key, base64]) => [key, digest(base64)]));
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
