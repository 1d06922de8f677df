import { describeRef, groupOf, refOf } from "../api/object.ts";
import { StalledError } from "../lib/errors.ts";
import { buildFailed, placeOf } from "./manifest.ts";
import type { RenderedObject } from "./renderer.ts";

/** Throws StalledError naming both places when two manifests describe the same object, whatever the version of its API. */
export function refuseDuplicates(objects: readonly RenderedObject[]): void {
  const first = new Map<string, RenderedObject>();
  for (const rendered of objects) {
    const ref = refOf(rendered.object);
    const id = `${groupOf(ref.apiVersion)} ${describeRef(ref)}`;
    const before = first.get(id);
    if (before) throw new StalledError(buildFailed, `${describeRef(ref)} is described twice: in ${placeOf(before.origin)} and in ${placeOf(rendered.origin)}`);
    first.set(id, rendered);
  }
}
