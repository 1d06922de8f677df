import type { ObjectRef } from "../../api/object.ts";
import { isRecord } from "../../lib/json.ts";
import type { Container, Pod, Volume } from "../kinds.ts";
import { kinds } from "../kinds.ts";

/** Text by key of a ConfigMap or Secret; `undefined`: there is none. */
type Source = ReadonlyMap<string, string> | undefined;
/** ConfigMaps and Secrets by `configmap/name` and `secret/name`. */
type Sources = ReadonlyMap<string, Source>;

/** What a container starts with, or why it cannot. */
export type Environment =
  | { readonly ok: true; readonly env: Readonly<Record<string, string>>; readonly files: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly reason: "CreateContainerConfigError" | "ContainerCreating"; readonly message?: string };

/** The ConfigMaps and Secrets that this container needs to be read first. */
export function sourceRefs(pod: Pod, container: Container): Map<string, ObjectRef> {
  const names = [
    ...container.envFrom.flatMap(({ configMapRef, secretRef }) => [
      configMapRef && `configmap/${configMapRef.name}`,
      secretRef && `secret/${secretRef.name}`,
    ]),
    ...container.env.flatMap(({ valueFrom }) => [
      valueFrom?.configMapKeyRef && `configmap/${valueFrom.configMapKeyRef.name}`,
      valueFrom?.secretKeyRef && `secret/${valueFrom.secretKeyRef.name}`,
    ]),
    ...pod.spec.volumes.flatMap(volumeParts).map(({ source }) => source),
  ];
  const { namespace } = pod.metadata;
  const refOf = (id: string): ObjectRef => ({
    ...(id.startsWith("secret/") ? kinds.secret : kinds.configMap),
    namespace,
    name: id.slice(id.indexOf("/") + 1),
  });
  return new Map(names.filter((id) => id !== undefined).map((id) => [id, refOf(id)]));
}

/** The keys of a ConfigMap or Secret as text. */
export function sourceText(object: { readonly [field: string]: unknown } | undefined, kind: "ConfigMap" | "Secret"): Source {
  if (!object) return undefined;
  const data = isRecord(object["data"]) ? Object.entries(object["data"]) : [];
  return new Map(
    data.map(([key, value]) => [key, kind === "Secret" ? Buffer.from(String(value), "base64").toString("utf8") : String(value)]),
  );
}

/** Variables and files of a container as a kubelet would give them. Pure. */
export function resolveEnvironment(pod: Pod, container: Container, sources: Sources): Environment {
  const missing = missingVolume(pod, container, sources);
  if (missing) return { ok: false, reason: "ContainerCreating" };
  const env: Record<string, string> = {};
  const problems = [...addAll(env, container, sources), ...addEach(env, pod, container, sources)];
  const [problem] = problems;
  if (problem !== undefined) return { ok: false, reason: "CreateContainerConfigError", message: problem };
  return { ok: true, env, files: filesOf(pod, container, sources) };
}

function addAll(env: Record<string, string>, { envFrom }: Container, sources: Sources): string[] {
  const problems: string[] = [];
  for (const { prefix = "", configMapRef, secretRef } of envFrom) {
    const ref = configMapRef ?? secretRef;
    if (!ref) continue;
    const kind = configMapRef ? "configmap" : "secret";
    const source = sources.get(`${kind}/${ref.name}`);
    if (!source && ref.optional !== true) problems.push(`${kind} "${ref.name}" not found`);
    for (const [key, value] of source ?? []) env[prefix + key] = value;
  }
  return problems;
}

function addEach(env: Record<string, string>, pod: Pod, { env: variables }: Container, sources: Sources): string[] {
  const problems: string[] = [];
  for (const { name, value, valueFrom } of variables) {
    const field = valueFrom?.fieldRef && fieldOf(pod, valueFrom.fieldRef.fieldPath);
    const found = valueFrom && !valueFrom.fieldRef ? fromKey(pod, valueFrom, sources) : { value: field ?? expand(value ?? "", env) };
    if ("problem" in found) problems.push(found.problem);
    else if (found.value !== undefined) env[name] = found.value;
  }
  return problems;
}

type ValueFrom = NonNullable<Container["env"][number]["valueFrom"]>;

function fromKey(
  pod: Pod,
  { configMapKeyRef, secretKeyRef }: ValueFrom,
  sources: Sources,
): { value: string | undefined } | { problem: string } {
  const ref = configMapKeyRef ?? secretKeyRef;
  if (!ref) return { value: "" };
  const [kind, title] = configMapKeyRef ? ["configmap", "ConfigMap"] : ["secret", "Secret"];
  const source = sources.get(`${kind}/${ref.name}`);
  const value = source?.get(ref.key);
  if (value !== undefined || ref.optional === true) return { value };
  return { problem: source ? `couldn't find key ${ref.key} in ${title} ${pod.metadata.namespace}/${ref.name}` : `${kind} "${ref.name}" not found` };
}

/** `$(NAME)` of a variable defined before; `$$` is a dollar sign. */
function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([A-Za-z_.-][\w.-]*)\)/g, (whole, name: string | undefined) =>
    name === undefined ? "$" : (env[name] ?? whole),
  );
}

/** The field of a pod that a `fieldRef` names; empty when it has none. */
export function fieldOf({ metadata, spec, status }: Pod, path: string): string {
  const [, group, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path) ?? [];
  if (key !== undefined) return (group === "labels" ? metadata.labels : metadata.annotations)?.[key] ?? "";
  const fields = new Map([
    ["metadata.name", metadata.name],
    ["metadata.namespace", metadata.namespace],
    ["metadata.uid", metadata.uid],
    ["spec.nodeName", spec.nodeName],
    ["status.podIP", status.podIP],
  ]);
  return fields.get(path) ?? "";
}

interface VolumePart {
  readonly volume: string;
  readonly source: string;
  readonly optional: boolean;
  readonly items: readonly { readonly key: string; readonly path: string }[] | undefined;
}

function volumeParts({ name, configMap, secret, projected }: Volume): VolumePart[] {
  return [{ configMap, secret }, ...(projected?.sources ?? [])].flatMap(({ configMap, secret }): VolumePart[] => [
    ...(configMap
      ? [{ volume: name, source: `configmap/${configMap.name}`, optional: configMap.optional === true, items: configMap.items }]
      : []),
    ...(secret
      ? [
          {
            volume: name,
            source: `secret/${secret.secretName ?? secret.name ?? ""}`,
            optional: secret.optional === true,
            items: secret.items,
          },
        ]
      : []),
  ]);
}

function mounted(pod: Pod, { volumeMounts }: Container): VolumePart[] {
  const names = new Set(volumeMounts.map(({ name }) => name));
  return pod.spec.volumes.flatMap(volumeParts).filter(({ volume }) => names.has(volume));
}

function missingVolume(pod: Pod, container: Container, sources: Sources): boolean {
  return mounted(pod, container).some(({ source, optional, items }) => {
    const found = sources.get(source);
    return !optional && (!found || (items ?? []).some(({ key }) => !found.has(key)));
  });
}

function filesOf(pod: Pod, container: Container, sources: Sources): Map<string, string> {
  const parts = mounted(pod, container);
  const files = container.volumeMounts.flatMap(({ name, mountPath, subPath }) => {
    const inVolume = parts.filter(({ volume }) => volume === name).flatMap((part) => entriesOf(part, sources));
    if (subPath === undefined) return inVolume.map(([path, value]): [string, string] => [`${mountPath}/${path}`, value]);
    return inVolume.filter(([path]) => path === subPath).map(([, value]): [string, string] => [mountPath, value]);
  });
  return new Map(files);
}

/** Path within the volume, and text. */
function entriesOf({ source, items }: VolumePart, sources: Sources): [string, string][] {
  const found = sources.get(source) ?? new Map<string, string>();
  if (!items) return [...found];
  return items.flatMap(({ key, path }) => {
    const value = found.get(key);
    return value === undefined ? [] : [[path, value]];
  });
}
