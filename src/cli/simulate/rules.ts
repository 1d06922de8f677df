import { type Canary, canary as canaryKind } from "../../api/canary.ts";
import { apiVersion, parseObject } from "../../api/meta.ts";
import { keyOf, type KubeObject } from "../../api/object.ts";
import { isOfDefaults, lint } from "../lint/lint.ts";
import { readManifest } from "../lint/files.ts";
import { objectsIn } from "../lint/objects.ts";
import { lineOfText } from "../lint/problem.ts";
import { MisuseError } from "../misuse.ts";

/** The rules of a Canary that sets none. */
const plain: KubeObject = {
  apiVersion,
  kind: canaryKind.kind,
  metadata: { name: "any" },
  spec: { targetRef: { kind: "Deployment", name: "any" }, service: { port: 80 }, analysis: {} },
};
/** Of a manifest that names none; nothing here depends on it. */
const namespace = "default";

/**
 * The Canary of a manifest; without one a Canary that sets nothing. Throws {@link MisuseError} with the words of `serin lint` for
 * what that refuses, but for what the controller's own defaults would give.
 */
export async function canaryIn(manifest: string | undefined): Promise<Canary> {
  if (manifest === undefined) return read(plain);
  const text = await readManifest(manifest);
  const { problems } = await lint([text], { defaults: {}, namespace });
  const refused = problems.filter((problem) => (problem.kind ?? canaryKind.kind) === canaryKind.kind && !isOfDefaults(problem));
  if (refused.length > 0) throw new MisuseError(refused.map(lineOfText).join("\n"));
  return read(onlyCanary(manifest, objectsIn([text], namespace).objects.map(({ object }) => object)));
}

function onlyCanary(manifest: string, objects: readonly KubeObject[]): KubeObject {
  const [canary, ...more] = objects.filter((object) => object.kind === canaryKind.kind && object.apiVersion === apiVersion);
  if (more.length > 0) {
    const names = [canary, ...more].map((each) => each && keyOf(each.metadata)).join(", ");
    throw new MisuseError(`${manifest} holds ${more.length + 1} Canaries (${names}); name a file that holds only the one to replay`);
  }
  if (canary) return canary;
  const other = objects.find(({ kind }) => kind === canaryKind.kind);
  throw new MisuseError(`${manifest} holds no Canary of ${apiVersion}${other ? `, only one of ${other.apiVersion}` : ""}`);
}

function read(object: KubeObject): Canary {
  const parsed = parseObject(canaryKind, object);
  if (parsed.ok) return parsed.value;
  throw new MisuseError(parsed.problems.map(({ path, message }) => `${path}: ${message}`).join("; "));
}
