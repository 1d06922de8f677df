import { type FieldError, invalidValue, required } from "../api-error.ts";
import type { DraftMeta } from "../resource-type.ts";
import { isRecord } from "../../../lib/json.ts";

const label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const subdomain = `${label}(\\.${label})*`;
const qualified = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const labelValue = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";

/** What makes a name fit for an object, as the kind demands it. */
export type NameRule = (name: string) => string | undefined;

const matches = (pattern: string, text: string): boolean => new RegExp(`^${pattern}$`).test(text);
const tooLong = (limit: number): string => `must be no more than ${limit} characters`;

/** Most kinds: a DNS subdomain. */
export const subdomainName: NameRule = (name) => {
  if (name.length > 253) return tooLong(253);
  if (matches(subdomain, name)) return undefined;
  return `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${subdomain}')`;
};

/** Namespaces and Services: one DNS label. */
export const labelName: NameRule = (name) => {
  if (name.length > 63) return tooLong(63);
  if (name.includes(".")) return "must not contain dots";
  if (matches(label, name)) return undefined;
  return `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${label}')`;
};

/** RBAC: anything that fits one segment of a path. */
export const pathSegmentName: NameRule = (name) => {
  if (name === "." || name === "..") return `may not be '${name}'`;
  return /[/%]/.test(name) ? `may not contain '${name.includes("/") ? "/" : "%"}'` : undefined;
};

/** Wrong names, labels and annotations. */
export function metadataErrors(metadata: DraftMeta, rule: NameRule): FieldError[] {
  const { name } = metadata;
  if (name === undefined || name === "") return [required("metadata.name", "name or generateName is required")];
  const why = rule(name);
  return [
    ...(why === undefined ? [] : [invalidValue("metadata.name", name, why)]),
    ...labelErrors(metadata.labels, "metadata.labels"),
    ...Object.keys(metadata.annotations ?? {}).flatMap((key) => keyErrors(key.toLowerCase(), "metadata.annotations")),
  ];
}

/** Keys and values of a map of labels that Kubernetes does not allow. */
export function labelErrors(labels: unknown, path: string): FieldError[] {
  if (!isRecord(labels)) return [];
  return Object.entries(labels).flatMap(([key, value]) => [...keyErrors(key, path), ...valueErrors(String(value), path)]);
}

function keyErrors(key: string, path: string): FieldError[] {
  const slash = key.indexOf("/");
  const [prefix, name] = slash < 0 ? [undefined, key] : [key.slice(0, slash), key.slice(slash + 1)];
  if (prefix !== undefined && !matches(subdomain, prefix)) return [invalidValue(path, key, `prefix part ${subdomainName(prefix) ?? ""}`)];
  if (name.length > 63) return [invalidValue(path, key, `name part ${tooLong(63)}`)];
  if (matches(qualified, name)) return [];
  const empty = name === "" ? [invalidValue(path, key, "name part must be non-empty")] : [];
  return [
    ...empty,
    invalidValue(
      path,
      key,
      `name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${qualified}')`,
    ),
  ];
}

function valueErrors(value: string, path: string): FieldError[] {
  if (value.length > 63) return [invalidValue(path, value, `must be no more than 63 bytes`)];
  if (matches(labelValue, value)) return [];
  return [
    invalidValue(
      path,
      value,
      `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '${labelValue}')`,
    ),
  ];
}
