import type { Clock } from "../../lib/clock.ts";
import type { KubeObject } from "../../api/object.ts";
import { badRequest, expired, notFound } from "./api-error.ts";
import type { FieldValidation } from "./decode.ts";
import type { DraftMeta, Registry, ResourceType } from "./resource-type.ts";
import { groupVersion } from "./resource-type.ts";
import type { Selector } from "./selectors.ts";
import type { Store } from "./store.ts";

/** What every operation on objects works with. */
export interface Cluster {
  readonly store: Store;
  readonly registry: Registry;
  readonly clock: Clock;
}

/** How a write is to be done. */
export interface WriteOptions {
  /** Field manager; the client's name when it gave none. */
  readonly manager: string;
  readonly dryRun: boolean;
  readonly validation: FieldValidation;
  /** Empty for the main resource. */
  readonly subresource: string;
}

/** The time as Kubernetes writes it in metadata: whole seconds. */
export function timestamp(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
}

/** One object in the version of this type. Throws 404. */
export function getObject({ store }: Cluster, type: ResourceType, namespace: string | undefined, name: string): KubeObject {
  const object = store.find(type, namespace, name);
  if (object === undefined) throw notFound(type, name);
  return inVersion(type, object);
}

/** Objects are stored once and served in every version of their kind: CRDs of the sandbox convert by name only. */
export function inVersion(type: ResourceType, object: KubeObject): KubeObject {
  const apiVersion = groupVersion(type);
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}

/** A page of a list. */
export interface Page {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
  readonly continue: string | undefined;
  readonly remaining: number | undefined;
}

interface ContinueToken {
  readonly rv: number;
  readonly after: string;
}

/**
 * Objects in the order of their keys, at most `limit` of them (0: all).
 * Throws 410 for a continue token whose revision is no longer in the history.
 */
export function listObjects(
  { store }: Cluster,
  type: ResourceType,
  query: { namespace: string | undefined; selects: Selector; limit: number; token: string },
): Page {
  const start = query.token === "" ? undefined : readToken(query.token);
  if (start) reachable(store, type, start.rv);
  const all = store.list(type, query.namespace).filter(query.selects);
  const from = start ? all.filter(({ metadata }) => key(metadata) > start.after) : all;
  const items = query.limit > 0 ? from.slice(0, query.limit) : from;
  const last = items.at(-1);
  const revision = start?.rv ?? store.revision();
  const more = items.length < from.length && last !== undefined;
  return {
    items: items.map((object) => inVersion(type, object)),
    resourceVersion: String(revision),
    continue: more ? writeToken({ rv: revision, after: key(last.metadata) }) : undefined,
    remaining: more ? from.length - items.length : undefined,
  };
}

function reachable(store: Store, type: ResourceType, revision: number): void {
  try {
    store.since(type, revision);
  } catch {
    throw expired(
      "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results.",
    );
  }
}

function key({ namespace, name }: KubeObject["metadata"] | DraftMeta): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function writeToken(token: ContinueToken): string {
  return Buffer.from(JSON.stringify(token)).toString("base64url");
}

function readToken(text: string): ContinueToken {
  try {
    const { rv, after } = JSON.parse(Buffer.from(text, "base64url").toString()) as Partial<ContinueToken>;
    if (typeof rv === "number" && typeof after === "string") return { rv, after };
  } catch {
    // Falls through to the answer for anything that is not a token of ours.
  }
  throw badRequest("continue key is not valid");
}
