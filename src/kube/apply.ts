import { describeRef, type KubeObject, refOf } from "../api/object.ts";
import { messageOf } from "../lib/errors.ts";
import { type ApplyOptions, type Kube, KubeError } from "./kube.ts";

/** How many objects are applied at once. */
const concurrency = 16;
/** How many failures a message spells out. */
const spelledOut = 5;

/** What applying one object gave. */
type Applied =
  | { readonly object: KubeObject; readonly stored: KubeObject }
  | { readonly object: KubeObject; readonly error: unknown };

/** Applies every object, also after another failed. The results are in the order of the objects. Rejects only when the signal aborts. */
export async function applyEach(
  kube: Pick<Kube, "apply">,
  objects: readonly KubeObject[],
  options: ApplyOptions,
  signal: AbortSignal,
): Promise<Applied[]> {
  const results: Applied[] = [];
  const waiting = objects.entries();
  const work = async (): Promise<void> => {
    for (const [index, object] of waiting) {
      signal.throwIfAborted();
      results[index] = await applyOne(kube, object, options, signal);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, objects.length) }, work));
  return results;
}

/**
 * Applies every object and returns them as stored, in order. When some fail the others are applied all the same; then one
 * error names each object and what is wrong with it, its `cause` being the first failure.
 */
export async function applyAll(
  kube: Pick<Kube, "apply">,
  objects: readonly KubeObject[],
  options: ApplyOptions,
  signal: AbortSignal,
): Promise<KubeObject[]> {
  const results = await applyEach(kube, objects, options, signal);
  const failed = results.flatMap((result) => ("error" in result ? [result] : []));
  const [first] = failed;
  if (!first) return results.flatMap((result) => ("stored" in result ? [result.stored] : []));
  // The cause's message follows this one, so the first failure comes last.
  const others = failed.slice(1, spelledOut).map(({ object, error }) => `${describeRef(refOf(object))}: ${messageOf(error)}; `);
  const more = failed.length > spelledOut ? `${failed.length - spelledOut} more objects failed; ` : "";
  throw new Error(`apply ${others.join("")}${more}${describeRef(refOf(first.object))}`, { cause: first.error });
}

async function applyOne(kube: Pick<Kube, "apply">, object: KubeObject, options: ApplyOptions, signal: AbortSignal): Promise<Applied> {
  try {
    return { object, stored: await kube.apply(object, options, signal) };
  } catch (error) {
    if (signal.aborted) throw error;
    return { object, error };
  }
}

/** A field that another manager owns, found by an apply without `force`. */
interface FieldConflict {
  /** The other's name, e.g. `kubectl-client-side-apply`. */
  readonly manager: string;
  /** As the API server writes it, e.g. `.spec.replicas`. */
  readonly field: string;
}

/** Who owns the fields that an apply was refused for; empty for any other error. Looks through the causes of wrapped errors. */
export function conflictsOf(error: unknown): FieldConflict[] {
  if (error instanceof KubeError) {
    return error.causes.filter(({ reason }) => reason === "FieldManagerConflict").map(({ message = "", field = "" }) => ({
      manager: /^conflict with "(.*?)"/.exec(message)?.[1] ?? message,
      field,
    }));
  }
  return error instanceof Error && error.cause !== undefined ? conflictsOf(error.cause) : [];
}
