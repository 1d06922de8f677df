import { managers } from "../../src/api/meta.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { isRecord } from "../../src/lib/json.ts";

/** One thing that somebody did to the API server, as authorization sees it. */
export interface Access {
  readonly verb: string;
  /** Empty for Kubernetes' oldest kinds. */
  readonly group: string;
  /** Plural, with the subresource: `canaries/status`. */
  readonly resource: string;
  /** Missing for cluster-scoped objects, and for lists and watches of all namespaces. */
  readonly namespace?: string;
  readonly name?: string;
}

/** One rule, and where it holds. */
export interface Grant {
  readonly groups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  /** Empty: objects of any name. */
  readonly names: readonly string[];
  /** Missing: everywhere. */
  readonly namespace?: string;
}

/** Where roles and deeds differ; both empty when the roles are exact. Each line reads `verb resource.group [in namespace]`. */
export interface Difference {
  /** Done, or tried and refused, though no role grants it. */
  readonly missing: string[];
  /** Granted by the own roles though nobody did it. */
  readonly unused: string[];
}

/** A line of the audit log, as far as it matters here. */
interface AuditEvent {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly impersonatedUser?: { readonly username: string };
  readonly requestURI: string;
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

/**
 * What a user did with rights of its own, from lines of an audit log at level Metadata, each thing once. Left out is what is
 * the right of others: what was done as another ServiceAccount (but the impersonation itself is there), and what Syncs wrote.
 * @param user e.g. `system:serviceaccount:serin-system:serin`
 */
export function accessesOf(lines: Iterable<string>, user: string): Access[] {
  const found = new Map<string, Access>();
  for (const line of lines) {
    // Most lines are of other users: only ours are worth reading.
    if (!line.includes(user)) continue;
    for (const access of accessesIn(JSON.parse(line) as AuditEvent, user)) found.set(JSON.stringify(access), access);
  }
  return [...found.values()];
}

function accessesIn(event: AuditEvent, user: string): Access[] {
  if (event.user.username !== user) return [];
  if (event.impersonatedUser) return impersonation(event.impersonatedUser.username);
  // Paths without an object, such as /version and discovery, are open to everybody.
  if (event.objectRef?.resource === undefined || isOfSync(event)) return [];
  const access = accessTo(event.verb, event.objectRef);
  // An apply that makes the object is authorized twice, and the log names the first verb.
  return event.verb === "patch" && event.responseStatus?.code === 201 ? [access, { ...access, verb: "create" }] : [access];
}

function accessTo(verb: string, object: NonNullable<AuditEvent["objectRef"]>): Access {
  const { apiGroup = "", resource = "", subresource, namespace, name } = object;
  return {
    verb,
    group: apiGroup,
    resource: subresource === undefined ? resource : `${resource}/${subresource}`,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
  };
}

function impersonation(username: string): Access[] {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):(.+)$/.exec(username) ?? [];
  if (namespace === undefined || name === undefined) return [{ verb: "impersonate", group: "", resource: "users", name: username }];
  return [{ verb: "impersonate", group: "", resource: "serviceaccounts", namespace, name }];
}

function isOfSync({ requestURI }: AuditEvent): boolean {
  return new URL(requestURI, "http://localhost").searchParams.get("fieldManager") === managers.sync;
}

/**
 * The rules that ServiceAccounts get from these objects: Roles and ClusterRoles by the bindings that stand beside them.
 * Bindings to roles that are not among the objects, such as the built-in `edit`, give nothing here.
 */
export function grantsOf(objects: readonly KubeObject[]): Grant[] {
  const bindings = objects.filter(({ kind }) => kind === "RoleBinding" || kind === "ClusterRoleBinding");
  return bindings.flatMap((binding) => {
    const { kind, name } = binding["roleRef"] as { kind: string; name: string };
    const { namespace } = binding.metadata;
    const isHere = ({ metadata }: KubeObject): boolean => kind === "ClusterRole" || metadata.namespace === namespace;
    const role = objects.find((object) => object.kind === kind && object.metadata.name === name && isHere(object));
    const rules = role && Array.isArray(role["rules"]) ? role["rules"].filter(isRecord) : [];
    return rules.map((rule) => grantOf(rule, binding.kind === "RoleBinding" ? namespace : undefined));
  });
}

function grantOf(rule: Readonly<Record<string, unknown>>, namespace: string | undefined): Grant {
  const texts = (field: string): string[] => (Array.isArray(rule[field]) ? rule[field].map(String) : []);
  return {
    groups: texts("apiGroups"),
    resources: texts("resources"),
    verbs: texts("verbs"),
    names: texts("resourceNames"),
    ...(namespace === undefined ? {} : { namespace }),
  };
}

/**
 * Compares what was done with what is granted.
 * @param own must grant all that was done, and nothing else
 * @param others grant more, of which nothing need be used
 */
export function compareRoles(accesses: readonly Access[], own: readonly Grant[], others: readonly Grant[] = []): Difference {
  const all = [...own, ...others];
  const missing = accesses.filter((access) => !all.some((grant) => covers(grant, access)));
  const unused = own.flatMap(single).filter((grant) => !accesses.some((access) => covers(grant, access)));
  return { missing: sorted(missing.map(describe)), unused: sorted(unused.map(describeGrant)) };
}

function covers(grant: Grant, { verb, group, resource, namespace, name }: Access): boolean {
  const here = grant.namespace === undefined || grant.namespace === namespace;
  const named = grant.names.length === 0 || (name !== undefined && grant.names.includes(name));
  return here && named && has(grant.verbs, verb) && has(grant.groups, group) && has(grant.resources, resource);
}

function has(granted: readonly string[], wanted: string): boolean {
  return granted.includes(wanted) || granted.includes("*");
}

/** One grant for each verb on each resource. */
function single(grant: Grant): Grant[] {
  return grant.groups.flatMap((group) =>
    grant.resources.flatMap((resource) =>
      grant.verbs.map((verb) => ({ ...grant, groups: [group], resources: [resource], verbs: [verb] })),
    ),
  );
}

function describe({ verb, group, resource, namespace }: Access): string {
  return [verb, group === "" ? resource : `${resource}.${group}`, ...(namespace === undefined ? [] : ["in", namespace])].join(" ");
}

function describeGrant({ groups: [group = ""], resources: [resource = ""], verbs: [verb = ""], namespace }: Grant): string {
  return describe({ verb, group, resource, ...(namespace === undefined ? {} : { namespace }) });
}

function sorted(lines: readonly string[]): string[] {
  return [...new Set(lines)].sort();
}
