import { managers } from "../api/meta.ts";
import type { KubeObject, ManagedFields } from "../api/object.ts";
import { isRecord } from "../lib/json.ts";
import { child, type FieldSet, isLeaf, itemFields, ownedBy } from "./fields.ts";

/** One field that is not, or no longer only, what Git says. */
interface Drift {
  /** As in YAML, e.g. `spec.replicas` or `spec.template.spec.containers[app].image`. */
  readonly path: string;
  /** Who wrote it last; `undefined` when it was removed and nobody owns it now. */
  readonly manager: string | undefined;
}

interface Walk {
  readonly path: string;
  readonly value: unknown;
  readonly ours: readonly FieldSet[];
  readonly theirs: readonly { readonly manager: string; readonly set: FieldSet }[];
}

/**
 * Fields of the manifest that Sync no longer owns, and fields added by hand, with who owns them now.
 * @param live with all of its managedFields
 */
export function driftOf(desired: KubeObject, live: KubeObject): Drift[] {
  const theirs = (live.metadata.managedFields ?? []).flatMap((entry) => othersSet(entry));
  const {
    apiVersion: _,
    kind: __,
    metadata: { name: ___, namespace: ____, ...metadata },
    ...fields
  } = desired;
  const lost = lostFields({
    path: "",
    value: { metadata, ...fields },
    ours: ownedBy(live, ({ manager }) => manager === managers.sync),
    theirs,
  });
  const last = lastWriter(live);
  const named = lost.map(({ path, manager }) => ({ path, manager: manager ?? last }));
  return named.length > 0 ? named : addedByHand(theirs);
}

function othersSet({ manager, subresource, fieldsV1 }: ManagedFields): { manager: string; set: FieldSet }[] {
  if (manager === undefined || manager === managers.sync || !fieldsV1) return [];
  return subresource === "status" ? [] : [{ manager, set: fieldsV1 }];
}

function lostFields(walk: Walk): Drift[] {
  const { path, value, ours, theirs } = walk;
  if (isEmpty(value) || ours.some(isLeaf)) return [];
  if (ours.length === 0 && !isRecord(value)) return [{ path, manager: theirs.at(0)?.manager }];
  if (Array.isArray(value))
    return value.flatMap((item: unknown, index) => lostFields(step(walk, nameOf(item, index), item, (set) => itemFields(set, item))));
  if (!isRecord(value)) return [];
  return Object.entries(value).flatMap(([field, inner]) =>
    lostFields(step(walk, path === "" ? field : `.${field}`, inner, (set) => child(set, `f:${field}`))),
  );
}

/** Nothing that anybody could own. */
function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === "object" && Object.keys(value).length === 0);
}

function step({ path, ours, theirs }: Walk, name: string, value: unknown, below: (set: FieldSet) => FieldSet | undefined): Walk {
  return {
    path: `${path}${name}`,
    value,
    ours: ours.flatMap((set): FieldSet[] => {
      const inner = below(set);
      return inner ? [inner] : [];
    }),
    theirs: theirs.flatMap(({ manager, set }) => {
      const inner = below(set);
      return inner ? [{ manager, set: inner }] : [];
    }),
  };
}

/** `[app]` for an item with a name, `[x]` for a text, else `[0]`. */
function nameOf(item: unknown, index: number): string {
  const name = isRecord(item) ? item["name"] : item;
  return `[${typeof name === "string" ? name : index}]`;
}

function lastWriter({ metadata: { managedFields = [] } }: KubeObject): string | undefined {
  const others = managedFields.filter(({ manager, subresource }) => manager !== managers.sync && subresource !== "status");
  return others.toSorted((a, b) => ((a.time ?? "") < (b.time ?? "") ? 1 : -1)).at(0)?.manager;
}

function addedByHand(theirs: Walk["theirs"]): Drift[] {
  return theirs
    .filter(({ manager }) => manager.startsWith("kubectl"))
    .flatMap(({ manager, set }) => leaves(set, "").map((path) => ({ path, manager })));
}

function leaves(set: FieldSet, path: string): string[] {
  return Object.entries(set).flatMap(([key, below]) => {
    if (key === "." || !isRecord(below)) return [];
    const name = key.startsWith("f:") ? key.slice(2) : `[${key.slice(2)}]`;
    const at = path === "" || name.startsWith("[") ? `${path}${name}` : `${path}.${name}`;
    return isLeaf(below) ? [at] : leaves(below, at);
  });
}

/** `spec.replicas by kubectl-scale and 2 more fields`, for an event. */
export function describeDrift(drifts: readonly Drift[]): string {
  const [first] = drifts;
  if (!first) return "fields that Sync owns";
  const more = drifts.length - 1;
  return `${first.path}${first.manager === undefined ? "" : ` by ${first.manager}`}${more > 0 ? ` and ${more} more field${more > 1 ? "s" : ""}` : ""}`;
}
