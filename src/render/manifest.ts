import type { KubeObject } from "../api/object.ts";
import { StalledError } from "../lib/errors.ts";
import { isRecord, type Json } from "../lib/json.ts";
import { parseYaml, YamlError } from "../lib/yaml.ts";
import type { InputFile, RenderedObject } from "./renderer.ts";

/** Largest manifest that is read. */
const maxManifestBytes = 1024 * 1024;

/** Reason of every complaint about what a file says. */
export const buildFailed = "BuildFailed";

/** All objects of one manifest; `List` objects give their items. Throws StalledError naming file and line. */
export function readManifest({ path, content }: InputFile): RenderedObject[] {
  refuseUnreadable({ path, content });
  return readDocuments(content, path).flatMap(({ value, line }) => objectsOf(value, { file: path, line }));
}

/** All objects that kustomize made of a folder. Throws StalledError naming the folder. */
export function readRendering(output: string, folder: string): RenderedObject[] {
  return readDocuments(output, `rendering of ${folder}`).flatMap(({ value }) => objectsOf(value, { file: folder }));
}

/** The documents of a YAML or JSON file. Throws StalledError naming file and line. */
export function readDocuments(content: string | Uint8Array, file: string): { value: Json; line: number }[] {
  try {
    return parseYaml(content, file);
  } catch (error) {
    if (error instanceof YamlError) throw new StalledError(buildFailed, error.message);
    throw error;
  }
}

/** Throws StalledError for a file that is too large, or that Git LFS left as a pointer. */
function refuseUnreadable({ path, content }: InputFile): void {
  if (isLfsPointer(content)) throw new StalledError(buildFailed, `${path} is a Git LFS pointer, not a manifest; commit the file itself`);
  if (content.byteLength > maxManifestBytes) {
    const mebibytes = (content.byteLength / maxManifestBytes).toFixed(1);
    throw new StalledError(buildFailed, `${path} has ${mebibytes} MiB, more than the 1 MiB that a manifest may have; split it into several files`);
  }
}

/** Whether Git LFS left a pointer where the content should be. */
export function isLfsPointer(content: Uint8Array): boolean {
  return Buffer.from(content.subarray(0, 64)).toString("latin1").startsWith("version https://git-lfs.github.com/spec/");
}

function objectsOf(value: Json, origin: RenderedObject["origin"]): RenderedObject[] {
  const place = placeOf(origin);
  if (!isRecord(value)) throw new StalledError(buildFailed, `${place}: is not a Kubernetes object but ${Array.isArray(value) ? "a list" : "a single value"}`);
  const { apiVersion, kind, items } = value;
  if (typeof apiVersion !== "string" || apiVersion === "" || typeof kind !== "string" || kind === "") {
    throw new StalledError(buildFailed, `${place}: is not a Kubernetes object: it has no ${typeof apiVersion === "string" ? "kind" : "apiVersion"}`);
  }
  if (kind.endsWith("List") && Array.isArray(items)) return items.flatMap((item) => objectsOf(item as Json, origin));
  return [{ object: named(value, place), origin }];
}

function named(value: Record<string, unknown>, place: string): KubeObject {
  const kind = String(value["kind"]);
  const metadata = isRecord(value["metadata"]) ? value["metadata"] : {};
  for (const field of ["name", "namespace"]) refuseNonText(metadata[field], `${kind}: metadata.${field}`, place);
  if (typeof metadata["name"] !== "string" || metadata["name"] === "") {
    const generated = metadata["generateName"] !== undefined;
    throw new StalledError(buildFailed, `${place}: ${kind} has no metadata.name${generated ? "; generateName would make a new object every time" : ""}`);
  }
  for (const field of ["labels", "annotations"]) refuseNonTexts(metadata[field], `metadata.${field}`, place);
  return value as unknown as KubeObject;
}

function refuseNonText(value: unknown, field: string, place: string): void {
  if (typeof value === "string" || value === undefined || value === null) return;
  throw new StalledError(buildFailed, `${place}: ${field} is ${JSON.stringify(value)}, not a text; put it in quotes`);
}

/** A number is caught by the API server, but as an unhelpful decoding error. */
function refuseNonTexts(values: unknown, field: string, place: string): void {
  if (values === undefined || values === null) return;
  if (!isRecord(values)) throw new StalledError(buildFailed, `${place}: ${field} is not a mapping`);
  for (const [key, value] of Object.entries(values)) refuseNonText(value, `${field}.${key}`, place);
}

/** `apps/web.yaml:12`, or the file alone when the line is not known. */
export function placeOf({ file, line }: RenderedObject["origin"]): string {
  return line === undefined ? file : `${file}:${line}`;
}
