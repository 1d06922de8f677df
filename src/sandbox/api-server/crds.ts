import type { KubeObject } from "../../api/object.ts";
import { isRecord } from "../../lib/json.ts";
import { type FieldError, invalidValue, required } from "./api-error.ts";
import { builtinSchemas, objectMetaDefinition } from "./builtin-schemas.ts";
import { compileRules, type UnevaluatedRule } from "./cel.ts";
import { type Cluster, timestamp } from "./objects.ts";
import { recordAt, recordsAt, textAt, valueAt } from "./read-fields.ts";
import type { Registry, ResourceType, ScalePaths } from "./resource-type.ts";
import type { Schema } from "./schema.ts";
import { printerColumns } from "./tables.ts";

/** A CEL rule that is not evaluated, and the CRD version it belongs to. */
export interface UnevaluatedCrdRule extends UnevaluatedRule {
  /** e.g. `canaries.serin.dev/v1beta1` */
  readonly crd: string;
}

/**
 * Serves what CustomResourceDefinitions define, from the moment they are stored until they are deleted, and reports them Established.
 * Returns the way to stop.
 */
export function startCrds(cluster: Cluster): () => void {
  const metadataSchema = builtinSchemas()(objectMetaDefinition);
  const crds = cluster.registry.ofKind("apiextensions.k8s.io/v1", "CustomResourceDefinition");
  if (crds === undefined) throw new Error("CustomResourceDefinition is not served");
  return cluster.store.subscribe(({ key, type, object }) => {
    if (key !== `${crds.plural}.${crds.group}`) return;
    if (type === "DELETED") return withdraw(cluster, object);
    serve(cluster.registry, object, metadataSchema);
    if (!isEstablished(object)) queueMicrotask(() => establish(cluster, crds, object.metadata.name));
  });
}

function serve(registry: Registry, crd: KubeObject, metadataSchema: Schema): void {
  const wanted = new Map(typesOf(crd, metadataSchema).map((type) => [type.version, type]));
  for (const type of typesOfCrd(registry, crd)) if (!wanted.has(type.version)) registry.remove(type);
  for (const type of wanted.values()) registry.add(type);
}

function typesOfCrd(registry: Registry, crd: KubeObject): ResourceType[] {
  const [group, plural] = [textAt(crd, "spec", "group"), textAt(crd, "spec", "names", "plural")];
  return registry.all().filter((type) => type.custom && type.group === group && type.plural === plural);
}

/** A deleted CRD takes its objects along. */
function withdraw({ registry, store }: Cluster, crd: KubeObject): void {
  for (const type of typesOfCrd(registry, crd)) {
    for (const object of store.list(type, undefined)) store.remove(type, object);
    registry.remove(type);
  }
}

/** What a CustomResourceDefinition lets be served: one type a version. */
export function typesOf(crd: KubeObject, metadataSchema: Schema): ResourceType[] {
  const names = recordAt(crd, "spec", "names");
  const kind = textAt(names, "kind");
  const group = textAt(crd, "spec", "group");
  const list = (field: string): string[] => (Array.isArray(names[field]) ? names[field].map(String) : []);
  return recordsAt(crd, "spec", "versions")
    .filter(({ served }) => served === true)
    .map((version): ResourceType => {
      const schema = rootSchema(version, metadataSchema);
      const subresources = recordAt(version, "subresources");
      return {
        group,
        version: textAt(version, "name"),
        kind,
        plural: textAt(names, "plural"),
        singular: textAt(names, "singular") || kind.toLowerCase(),
        namespaced: valueAt(crd, "spec", "scope") === "Namespaced",
        shortNames: list("shortNames"),
        categories: list("categories"),
        schema,
        definition: `${group.split(".").toReversed().join(".")}.${textAt(version, "name")}.${kind}`,
        custom: true,
        status: isRecord(subresources["status"]),
        generation: true,
        scale: scalePaths(subresources["scale"]),
        columns: printerColumns(version["additionalPrinterColumns"]),
        strategy: {},
        rules: compileRules(schema),
      };
    });
}

/** The version's schema with the parts that every object has. */
function rootSchema(version: Record<string, unknown>, metadata: Schema): Schema {
  const schema = structuredClone(recordAt(version, "schema", "openAPIV3Schema")) as Schema;
  const open: Schema = Object.keys(schema).length === 0 ? { "x-kubernetes-preserve-unknown-fields": true } : {};
  return {
    type: "object",
    ...schema,
    ...open,
    properties: { ...schema.properties, apiVersion: { type: "string" }, kind: { type: "string" }, metadata },
  };
}

function scalePaths(scale: unknown): ScalePaths | undefined {
  if (!isRecord(scale)) return undefined;
  const path = (field: string): string => textAt(scale, field).replace(/^\./, "");
  return { spec: path("specReplicasPath"), status: path("statusReplicasPath"), selector: path("labelSelectorPath") || undefined };
}

function isEstablished(crd: KubeObject): boolean {
  return recordsAt(crd, "status", "conditions").some(({ type, status }) => type === "Established" && status === "True");
}

function establish({ store, clock }: Cluster, type: ResourceType, name: string): void {
  const crd = store.find(type, undefined, name);
  if (crd === undefined || isEstablished(crd)) return;
  const names = recordAt(crd, "spec", "names");
  const condition = (conditionType: string, reason: string, message: string): object => ({
    type: conditionType,
    status: "True",
    lastTransitionTime: timestamp(clock.nowMs()),
    reason,
    message,
  });
  const status = {
    conditions: [
      condition("NamesAccepted", "NoConflicts", "no conflicts found"),
      condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ],
    acceptedNames: {
      ...names,
      singular: textAt(names, "singular") || textAt(names, "kind").toLowerCase(),
      listKind: textAt(names, "listKind") || `${textAt(names, "kind")}List`,
    },
    storedVersions: recordsAt(crd, "spec", "versions")
      .filter(({ storage }) => storage === true)
      .map((version) => textAt(version, "name")),
  };
  store.put(type, { ...crd, status });
}

/** The mistakes in a CRD that would leave it without use. */
export function crdErrors(crd: Readonly<Record<string, unknown>>): FieldError[] {
  const name = textAt(crd, "metadata", "name");
  const wanted = `${textAt(crd, "spec", "names", "plural")}.${textAt(crd, "spec", "group")}`;
  const versions = recordsAt(crd, "spec", "versions");
  const errors: FieldError[] = [];
  if (name !== wanted) errors.push(invalidValue("metadata.name", name, 'must be spec.names.plural+"."+spec.group'));
  if (versions.filter(({ storage }) => storage === true).length !== 1)
    errors.push(
      invalidValue(
        "spec.versions",
        versions.map((version) => version["name"]),
        "must have exactly one version marked as storage version",
      ),
    );
  versions.forEach((version, index) => {
    if (!isRecord(valueAt(version, "schema", "openAPIV3Schema")))
      errors.push(required(`spec.versions[${index}].schema.openAPIV3Schema`, "schemas are required"));
  });
  return errors;
}

/** CEL rules of the CRDs served now that this server cannot evaluate. Writes they would judge are refused, never let through. */
export function unevaluatedRules(registry: Registry): UnevaluatedCrdRule[] {
  return registry
    .all()
    .flatMap((type) => (type.rules?.unevaluated ?? []).map((rule) => ({ ...rule, crd: `${type.plural}.${type.group}/${type.version}` })));
}
