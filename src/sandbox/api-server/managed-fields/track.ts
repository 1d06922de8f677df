import { ApiError, type Cause } from "../api-error.ts";
import type { KubeObject } from "../../../api/object.ts";
import type { Draft, ResourceType } from "../resource-type.ts";
import { difference, emptySet, type FieldSet, intersection, isEmpty, only, pathsOf, pathText, union, without } from "./field-set.ts";
import { encodeOwners, type Owner, ownable, ownersOf, sameWriter, type Writer } from "./managers.ts";
import { compare, type Comparison, fieldSetOf, merge, removePaths, typeProblems, withNamedParents } from "./typed.ts";

/** Where and when ownership is recorded. */
export interface TrackContext {
  readonly type: ResourceType;
  readonly writer: Writer;
  /** RFC 3339, whole seconds. */
  readonly now: string;
}

/**
 * Records an ordinary write: what it changed is the writer's from now on, what it removed is nobody's.
 * @param before `undefined` for a new object
 * @param zero what a new object of the type is before anything is set
 */
export function trackUpdate(context: TrackContext, before: KubeObject | undefined, after: Draft): void {
  const { type, writer } = context;
  if (wasReset(after)) {
    delete after.metadata.managedFields;
    return;
  }
  const sent = after.metadata.managedFields ?? [];
  const owners = ownersOf(sent.length > 0 ? after : before);
  // Ownership that was reset is not kept again before somebody applies.
  if (before !== undefined && owners.length === 0) return;
  const changes = compare(ownable(before ?? zeroOf(type)), ownable(after), type.schema);
  const mine = owners.find((owner) => sameWriter(owner, writer)) ?? { ...writer, set: emptySet };
  const others = yieldTo(
    owners.filter((owner) => owner !== mine),
    changes,
  );
  const set = onlyOwnable(difference(union(union(mine.set, changes.modified), changes.added), changes.removed), context);
  // The real server does not date writes to scale.
  const now = writer.subresource === "scale" ? undefined : context.now;
  setOwners(after, [...others, { ...mine, set, time: isChange(changes) ? now : mine.time }]);
}

function isChange({ added, removed, modified }: Comparison): boolean {
  return !isEmpty(modified) || !isEmpty(added) || !isEmpty(removed);
}

/** An explicit `managedFields: [{}]` forgets all ownership. */
function wasReset({ metadata: { managedFields } }: Draft): boolean {
  return managedFields?.length === 1 && Object.keys(managedFields[0] ?? {}).length === 0;
}

function setOwners(object: Draft, owners: readonly Owner[]): void {
  const encoded = encodeOwners(owners);
  if (encoded.length > 0) object.metadata.managedFields = encoded;
  else delete object.metadata.managedFields;
}

/** Others lose what the write changed or removed. */
function yieldTo(owners: readonly Owner[], { added, modified, removed }: Comparison): Owner[] {
  const taken = union(added, modified);
  return owners.map((owner) => ({ ...owner, set: difference(difference(owner.set, taken), removed) }));
}

/** A write to the main resource never owns status; one to status owns nothing else. */
function onlyOwnable(set: FieldSet, { type, writer }: TrackContext): FieldSet {
  if (writer.subresource === "status") return only(set, "f:status");
  const own = type.status ? without(set, ["f:status"]) : set;
  // Nobody owns metadata as such, only what is in it.
  return { ...own, members: new Set([...own.members].filter((element) => element !== "f:metadata")) };
}

/** What applying a configuration gave. */
export interface Applied {
  readonly object: Draft;
  /** Whether any value is different from the live object's. */
  readonly changed: boolean;
}

/**
 * Server-side apply: lays a configuration over the live object, removes what its manager applied before and nobody else owns,
 * and records ownership. Throws 409 naming field and manager when another one owns a field with another value, unless forced.
 */
export function applyConfiguration(context: TrackContext & { force: boolean }, live: KubeObject | undefined, config: Draft): Applied {
  const { type, writer } = context;
  const owners = ownersBeforeApply(live, type);
  const mine = owners.find((owner) => sameWriter(owner, writer));
  const set = onlyOwnable(fieldSetOf(ownable(config), type.schema), context);
  const managed = [...owners.filter((owner) => owner !== mine), { ...writer, set, time: mine?.time }];
  const liveBody = live ? ownable(live) : {};
  const merged = merge(liveBody, part(ownable(config), context), type.schema);
  const next = mine ? prune(merged, { last: mine.set, managed, type }) : merged;
  const changes = compare(liveBody, next, type.schema);
  if (!context.force)
    refuseConflicts(
      managed.filter((owner) => !sameWriter(owner, writer)),
      union(changes.modified, changes.added),
    );
  const changed = isChange(changes);
  const others = yieldTo(
    managed.filter((owner) => !sameWriter(owner, writer)),
    changes,
  );
  const object = withBody(live, config, next as Record<string, unknown>);
  setOwners(object, [...others, { ...writer, set, time: changed ? context.now : mine?.time }]);
  return { object, changed };
}

/** What nobody is recorded to own when somebody applies for the first time is owned by those who wrote before. */
function ownersBeforeApply(live: KubeObject | undefined, type: ResourceType): Owner[] {
  const owners = ownersOf(live);
  if (live === undefined || owners.length > 0) return owners;
  return [
    {
      manager: "before-first-apply",
      operation: "Update",
      apiVersion: live.apiVersion,
      subresource: "",
      set: fieldSetOf(ownable(live), type.schema),
    },
  ];
}

/** Which part of a configuration the write is about. */
function part(body: Record<string, unknown>, { type, writer }: TrackContext): Record<string, unknown> {
  if (writer.subresource === "status") return { status: body["status"] };
  if (!type.status) return body;
  const { status: _, ...rest } = body;
  return rest;
}

/** The merged body with the metadata that nobody owns put back. */
function withBody(live: KubeObject | undefined, config: Draft, body: Record<string, unknown>): Draft {
  const identity: Draft["metadata"] = live ? live.metadata : config.metadata;
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds } = identity;
  const kept = { namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds };
  const metadata = {
    name,
    ...Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined)),
    ...(body["metadata"] as object),
  };
  return { ...body, apiVersion: config.apiVersion, kind: config.kind, metadata };
}

function prune(merged: unknown, { last, managed, type }: { last: FieldSet; managed: readonly Owner[]; type: ResourceType }): unknown {
  const owned = managed.reduce((all, owner) => union(all, withNamedParents(owner.set, type.schema)), emptySet);
  const dropped = difference(withNamedParents(last, type.schema), owned);
  return isEmpty(dropped) ? merged : removePaths(merged, dropped, type.schema);
}

/** Throws 500, as the real server does, when a configuration does not fit the schema. To be called before anything is filled in. */
export function refuseMistyped(type: ResourceType, config: Draft): void {
  const problems = typeProblems(config, type.schema);
  if (problems.length === 0) return;
  const problem = problems.length === 1 ? problems[0] : `errors:\n${problems.map((line) => `  ${line}`).join("\n")}`;
  const { namespace = "", name }: Partial<Draft["metadata"]> = config.metadata;
  const message = `failed to create typed patch object (${namespace}/${name ?? ""}; ${type.group}/${type.version}, Kind=${config.kind}): ${problem}`;
  throw new ApiError(500, "", message);
}

interface Conflict {
  readonly owner: Owner;
  readonly field: string;
}

function refuseConflicts(owners: readonly Owner[], changed: FieldSet): void {
  const conflicts = owners.flatMap((owner): Conflict[] =>
    [...pathsOf(intersection(owner.set, changed))].map((path) => ({ owner, field: pathText(path) })),
  );
  if (conflicts.length === 0) return;
  const causes: Cause[] = conflicts.map(({ owner, field }) => ({
    reason: "FieldManagerConflict",
    message: `conflict with ${ownerText(owner)}`,
    field,
  }));
  throw new ApiError(409, "Conflict", conflictMessage(conflicts), { causes });
}

function conflictMessage(conflicts: readonly Conflict[]): string {
  const [first] = conflicts;
  if (conflicts.length === 1 && first) return `Apply failed with 1 conflict: conflict with ${ownerText(first.owner)}: ${first.field}`;
  const byOwner = Map.groupBy(conflicts, ({ owner }) => ownerText(owner));
  const lines = [...byOwner]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([owner, list]) => [`conflicts with ${owner}:`, ...list.map(({ field }) => `- ${field}`)]);
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join("\n")}`;
}

/** How messages name a manager. */
function ownerText({ manager, operation, apiVersion, subresource }: Owner): string {
  const name = `${JSON.stringify(manager)}${subresource === "" ? "" : ` with subresource ${JSON.stringify(subresource)}`}`;
  if (operation === "Apply") return name;
  return `${name} using ${apiVersion}`;
}

/** What an object of a built-in kind is before anything is set: Go's structs are always there, so creating one does not own them. */
function zeroOf(type: ResourceType): Draft {
  if (type.custom) return { apiVersion: "", kind: "", metadata: { name: "" } };
  return { apiVersion: "", kind: "", ...zeroStruct(type.schema, 0), metadata: { name: "" } };
}

function zeroStruct(schema: ResourceType["schema"], depth: number): Record<string, unknown> {
  const zero: Record<string, unknown> = {};
  for (const [field, child] of Object.entries(schema.properties ?? {})) {
    const isStruct = typeof child.default === "object" && child.default !== null;
    // JSON schemas contain themselves.
    if (isStruct && depth < 8) zero[field] = zeroStruct(child, depth + 1);
    else if (schema.required?.includes(field) === true && child.default === undefined) zero[field] = null;
  }
  return zero;
}
