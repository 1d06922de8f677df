import { isDeepStrictEqual } from "node:util";
import { type FieldError, forbiddenField, invalidValue, required, unsupported } from "../api-error.ts";
import { fill, recordAt, recordsAt, textAt, valueAt } from "../read-fields.ts";
import type { Strategy } from "../resource-type.ts";

const pathTypes = ["Exact", "ImplementationSpecific", "Prefix"];

/** How the API server checks and completes a Ingress. */
export const ingress: Strategy = {
  prepareCreate: (object) => {
    object["status"] = { loadBalancer: {} };
  },
  validate: (object) => {
    const rules = recordsAt(object, "spec", "rules");
    const hasDefault = valueAt(object, "spec", "defaultBackend") !== undefined;
    if (rules.length === 0 && !hasDefault) return [invalidValue("spec", [], "either `defaultBackend` or `rules` must be specified")];
    return rules.flatMap((rule, index) =>
      recordsAt(rule, "http", "paths").flatMap((path, at) => ingressPathErrors(path, `spec.rules[${index}].http.paths[${at}]`)),
    );
  },
};

function ingressPathErrors(path: Record<string, unknown>, at: string): FieldError[] {
  const pathType = textAt(path, "pathType");
  const text = textAt(path, "path");
  const errors: FieldError[] = [];
  if (pathType === "") errors.push(required(`${at}.pathType`, "pathType must be specified"));
  else if (!pathTypes.includes(pathType)) errors.push(unsupported(`${at}.pathType`, pathType, pathTypes));
  if (pathType !== "ImplementationSpecific" && !text.startsWith("/"))
    errors.push(invalidValue(`${at}.path`, text, "must be an absolute path"));
  return [...errors, ...backendErrors(recordAt(path, "backend"), `${at}.backend`)];
}

function backendErrors({ service, resource }: Record<string, unknown>, at: string): FieldError[] {
  if (service === undefined) return resource === undefined ? [required(at, "resource or service backend is required")] : [];
  if (textAt(service, "name") === "") return [required(`${at}.service.name`)];
  const { name, number } = recordAt(service, "port");
  return name === undefined && number === undefined ? [required(`${at}.service.port`, "port name or number is required")] : [];
}

/** How the API server checks and completes a NetworkPolicy. */
export const networkPolicy: Strategy = {
  defaults: (object) => {
    const spec = recordAt(object, "spec");
    const types = ["Ingress", ...(recordsAt(spec, "egress").length > 0 ? ["Egress"] : [])];
    fill(spec, { policyTypes: types });
  },
};

/** How the API server checks and completes a Lease. */
export const lease: Strategy = {
  validate: (object) => {
    const duration = valueAt(object, "spec", "leaseDurationSeconds");
    return typeof duration === "number" && duration <= 0
      ? [invalidValue("spec.leaseDurationSeconds", duration, "must be greater than 0")]
      : [];
  },
};

/** How the API server checks and completes a RoleBinding. */
export const roleBinding: Strategy = {
  defaults: (object) => {
    fill(recordAt(object, "roleRef"), { apiGroup: "rbac.authorization.k8s.io" });
    for (const subject of recordsAt(object, "subjects"))
      if (subject["kind"] !== "ServiceAccount") fill(subject, { apiGroup: "rbac.authorization.k8s.io" });
  },
  validate: (object) => (textAt(object, "roleRef", "name") === "" ? [required("roleRef.name")] : []),
  validateUpdate: (object, old) =>
    isDeepStrictEqual(object["roleRef"], old["roleRef"]) ? [] : [invalidValue("roleRef", object["roleRef"], "cannot change roleRef")],
};

const addressTypes = ["FQDN", "IPv4", "IPv6"];

/** How the API server checks and completes a EndpointSlice. */
export const endpointSlice: Strategy = {
  defaults: (object) => {
    for (const port of recordsAt(object, "ports")) fill(port, { name: "", protocol: "TCP" });
  },
  validate: (object) => {
    const type = textAt(object, "addressType");
    if (type === "") return [required("addressType")];
    return addressTypes.includes(type) ? [] : [unsupported("addressType", type, addressTypes)];
  },
  validateUpdate: (object, old) =>
    object["addressType"] === old["addressType"] ? [] : [invalidValue("addressType", object["addressType"], "field is immutable")],
};

/** How the API server checks and completes a ControllerRevision. */
export const controllerRevision: Strategy = {
  validateUpdate: (object, old) => (isDeepStrictEqual(object["data"], old["data"]) ? [] : [forbiddenField("data", "field is immutable")]),
};
