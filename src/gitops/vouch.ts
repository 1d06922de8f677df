import type { KubeObject } from "../api/object.ts";
import { isRecord } from "../lib/json.ts";

const kinds: Readonly<Record<string, readonly string[]>> = {
  ConfigMap: ["apiVersion", "kind", "metadata", "data"],
  Secret: ["apiVersion", "kind", "metadata", "data", "type"],
};
const metadataFields = new Set(["name", "namespace", "labels", "annotations"]);
/** Half of what the API server takes: whoever comes near the limit is asked about. */
const maxCharacters = 512 * 1024;
const maxAnnotationCharacters = 128 * 1024;

const subdomain = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)*$/;
const word = /^[A-Za-z0-9](?:[-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$/;
const dataKey = /^(?!\.\.?$|\.\.)[-._a-zA-Z0-9]{1,253}$/;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Whether we can tell by ourselves that the API server finds nothing wrong with the object, so that it need not be asked
 * beforehand: plain ConfigMaps and Secrets, which are most of what large repositories hold. `false` is no verdict.
 * @param live the object as it is; `undefined`: there is none yet
 */
export function isSurelyValid(object: KubeObject, live: KubeObject | undefined): boolean {
  const fields = object.apiVersion === "v1" && Object.hasOwn(kinds, object.kind) ? kinds[object.kind] : undefined;
  if (!fields || !Object.keys(object).every((field) => fields.includes(field))) return false;
  if (!isOpaque(object) || (live && (live["immutable"] === true || !isOpaque(live)))) return false;
  return isGoodMetadata(object.metadata) && isGoodData(object["data"], object.kind === "Secret");
}

/** Other types of Secrets have rules of their own. */
function isOpaque({ kind, type }: KubeObject): boolean {
  return kind !== "Secret" || type === undefined || type === "Opaque";
}

function isGoodMetadata(metadata: KubeObject["metadata"]): boolean {
  const { name, namespace, labels = {}, annotations = {} } = metadata;
  if (!Object.keys(metadata).every((field) => metadataFields.has(field))) return false;
  if (!isSubdomain(name) || typeof namespace !== "string" || !isRecord(labels) || !isRecord(annotations)) return false;
  return (
    Object.entries(labels).every(([key, value]) => isQualified(key) && (value === "" || (typeof value === "string" && word.test(value)))) &&
    Object.entries(annotations).every(([key, value]) => isQualified(key) && typeof value === "string") &&
    lengthOf(annotations) <= maxAnnotationCharacters
  );
}

function isGoodData(data: unknown, encoded: boolean): boolean {
  if (data === undefined) return true;
  if (!isRecord(data)) return false;
  return (
    Object.entries(data).every(([key, value]) => dataKey.test(key) && typeof value === "string" && (!encoded || base64.test(value))) &&
    lengthOf(data) <= maxCharacters
  );
}

/** `name` or `prefix.example/name`. */
function isQualified(key: string): boolean {
  const [first = "", second, ...more] = key.split("/");
  if (more.length > 0) return false;
  return second === undefined ? word.test(first) : isSubdomain(first) && word.test(second);
}

function isSubdomain(text: unknown): boolean {
  return typeof text === "string" && text.length <= 253 && subdomain.test(text);
}

function lengthOf(texts: Readonly<Record<string, unknown>>): number {
  return Object.entries(texts).reduce((sum, [key, value]) => sum + key.length + String(value).length, 0);
}
