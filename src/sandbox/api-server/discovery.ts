import { groupVersion, type Registry, type ResourceType } from "./resource-type.ts";

/** What `/version` says: clients choose features by it. */
export const version = {
  major: "1",
  minor: "36",
  gitVersion: "v1.36.3",
  gitCommit: "",
  gitTreeState: "",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "",
  compiler: "",
  platform: `${process.platform}/${process.arch}`,
};

const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const changing = ["get", "patch", "update"];

interface Subresource {
  readonly name: string;
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  readonly verbs: readonly string[];
}

function subresourcesOf({ kind, group, version: own, status, scale, custom }: ResourceType): Subresource[] {
  const found: Subresource[] = [];
  const isPod = kind === "Pod" && !custom;
  if (isPod) found.push({ name: "binding", kind: "Binding", group: "", version: "v1", verbs: ["create"] });
  if (isPod) found.push({ name: "eviction", kind: "Eviction", group: "policy", version: "v1", verbs: ["create"] });
  if (isPod) found.push({ name: "log", kind: "Pod", group: "", version: "v1", verbs: ["get"] });
  if (scale) found.push({ name: "scale", kind: "Scale", group: "autoscaling", version: "v1", verbs: changing });
  if (status) found.push({ name: "status", kind, group, version: own, verbs: changing });
  return found;
}

function verbsOf({ virtual }: ResourceType): readonly string[] {
  return virtual === true ? ["create"] : verbs;
}

/** The answer to `/api` and `/apis` for clients that ask for aggregated discovery. */
export function aggregatedDiscovery(registry: Registry, core: boolean): object {
  const groups = Map.groupBy(
    registry.all().filter(({ group }) => (group === "") === core),
    ({ group }) => group,
  );
  const items = [...groups].map(([name, types]) => ({
    metadata: name === "" ? {} : { name },
    versions: [...Map.groupBy(types, (type) => type.version)].map(([versionName, ofVersion]) => ({
      version: versionName,
      freshness: "Current",
      resources: ofVersion.map(aggregatedResource),
    })),
  }));
  return { kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2", metadata: {}, items };
}

function aggregatedResource(type: ResourceType): object {
  const subresources = subresourcesOf(type).map(({ name, kind, group, version: of, verbs: allowed }) => ({
    subresource: name,
    responseKind: { group, version: of, kind },
    verbs: allowed,
  }));
  return {
    resource: type.plural,
    responseKind: { group: type.group, version: type.version, kind: type.kind },
    scope: type.namespaced ? "Namespaced" : "Cluster",
    singularResource: type.singular,
    verbs: verbsOf(type),
    ...(type.shortNames.length > 0 && { shortNames: type.shortNames }),
    ...(type.categories.length > 0 && { categories: type.categories }),
    ...(subresources.length > 0 && { subresources }),
  };
}

/** The answer to `/api`. */
export function coreVersions(): object {
  return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
}

/** The answer to `/apis`. */
export function groupList(registry: Registry): object {
  const names = [...new Set(registry.all().map(({ group }) => group))].filter((group) => group !== "");
  return { kind: "APIGroupList", apiVersion: "v1", groups: names.map((name) => groupOf(registry, name)) };
}

/** The answer to `/apis/<group>`; `undefined` for a group that is not served. */
export function groupAnswer(registry: Registry, name: string): object | undefined {
  return registry.all().some(({ group }) => group === name)
    ? { kind: "APIGroup", apiVersion: "v1", ...groupOf(registry, name) }
    : undefined;
}

function groupOf(registry: Registry, name: string): object {
  const served = [
    ...new Set(
      registry
        .all()
        .filter(({ group }) => group === name)
        .map(({ version: of }) => of),
    ),
  ];
  const versions = served.map((of) => ({ groupVersion: `${name}/${of}`, version: of }));
  return { name, versions, preferredVersion: versions[0] };
}

/** The answer to `/api/v1` and `/apis/<group>/<version>`; `undefined` when nothing is served there. */
export function resourceList(registry: Registry, wanted: string): object | undefined {
  const types = registry.all().filter((type) => groupVersion(type) === wanted);
  if (types.length === 0) return undefined;
  const resources = types.flatMap((type) => [
    {
      name: type.plural,
      singularName: type.singular,
      namespaced: type.namespaced,
      kind: type.kind,
      verbs: verbsOf(type),
      ...(type.shortNames.length > 0 && { shortNames: type.shortNames }),
      ...(type.categories.length > 0 && { categories: type.categories }),
    },
    ...subresourcesOf(type).map(({ name, kind, group, version: of, verbs: allowed }) => ({
      name: `${type.plural}/${name}`,
      singularName: "",
      namespaced: type.namespaced,
      ...(group !== type.group && { group, version: of }),
      kind,
      verbs: allowed,
    })),
  ]);
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion: wanted, resources };
}
