import { isRecord } from "../../../lib/json.ts";
import { duplicate, type FieldError, invalidValue, required, unsupported } from "../api-error.ts";
import { recordsAt, textAt } from "../read-fields.ts";
import { labelName } from "./names.ts";

export { labelErrors } from "./names.ts";

/** Common mistakes in a pod spec, in the real server's words. Not every rule of the real server is here. */
export function podSpecErrors(spec: Record<string, unknown>, path: string): FieldError[] {
  const containers = recordsAt(spec, "containers");
  const volumes = recordsAt(spec, "volumes");
  const errors = volumes.flatMap((volume, index) => volumeErrors(volume, `${path}.volumes[${index}]`));
  if (containers.length === 0) errors.push(required(`${path}.containers`));
  const names = new Set(volumes.map((volume) => volume["name"]));
  for (const field of ["containers", "initContainers"]) {
    const list = recordsAt(spec, field);
    const seen = new Set<unknown>();
    list.forEach((container, index) => {
      const at = `${path}.${field}[${index}]`;
      errors.push(...containerErrors(container, names, at));
      if (seen.has(container["name"])) errors.push(duplicate(`${at}.name`, container["name"]));
      seen.add(container["name"]);
    });
  }
  const policy = textAt(spec, "restartPolicy");
  if (policy !== "" && !["Always", "OnFailure", "Never"].includes(policy))
    errors.push(unsupported(`${path}.restartPolicy`, policy, ["Always", "OnFailure", "Never"]));
  return errors;
}

function volumeErrors(volume: Record<string, unknown>, path: string): FieldError[] {
  return nameErrors(textAt(volume, "name"), `${path}.name`);
}

function nameErrors(name: string, path: string): FieldError[] {
  if (name === "") return [required(path)];
  const why = labelName(name);
  return why === undefined ? [] : [invalidValue(path, name, why)];
}

function containerErrors(container: Record<string, unknown>, volumes: ReadonlySet<unknown>, path: string): FieldError[] {
  const errors = nameErrors(textAt(container, "name"), `${path}.name`);
  const image = textAt(container, "image");
  if (image === "") errors.push(required(`${path}.image`));
  else if (image.trim() !== image) errors.push(invalidValue(`${path}.image`, image, "must not have leading or trailing whitespace"));
  recordsAt(container, "ports").forEach((port, index) => errors.push(...portErrors(port, `${path}.ports[${index}]`)));
  recordsAt(container, "env").forEach((variable, index) => errors.push(...envErrors(variable, `${path}.env[${index}]`)));
  recordsAt(container, "volumeMounts").forEach((mount, index) => {
    const at = `${path}.volumeMounts[${index}]`;
    if (!volumes.has(mount["name"]))
      errors.push({ reason: "FieldValueNotFound", field: `${at}.name`, why: `Not found: ${JSON.stringify(mount["name"])}` });
    if (textAt(mount, "mountPath") === "") errors.push(required(`${at}.mountPath`));
  });
  for (const probe of ["livenessProbe", "readinessProbe", "startupProbe"])
    if (isRecord(container[probe])) errors.push(...probeErrors(container[probe], `${path}.${probe}`));
  return errors;
}

function portErrors(port: Record<string, unknown>, path: string): FieldError[] {
  const number = port["containerPort"];
  const errors =
    number === undefined || number === 0 ? [required(`${path}.containerPort`)] : portNumberErrors(number, `${path}.containerPort`);
  const protocol = port["protocol"];
  if (!["TCP", "UDP", "SCTP"].includes(String(protocol))) errors.push(unsupported(`${path}.protocol`, protocol, ["SCTP", "TCP", "UDP"]));
  return errors;
}

/** A port must be between 1 and 65535. */
export function portNumberErrors(port: unknown, path: string): FieldError[] {
  return typeof port === "number" && port >= 1 && port <= 65_535
    ? []
    : [invalidValue(path, port, "must be between 1 and 65535, inclusive")];
}

function envErrors(variable: Record<string, unknown>, path: string): FieldError[] {
  if (textAt(variable, "name") === "") return [required(`${path}.name`)];
  if (variable["valueFrom"] !== undefined && textAt(variable, "value") !== "")
    return [invalidValue(`${path}.valueFrom`, "", "may not be specified when `value` is not empty")];
  return [];
}

function probeErrors(probe: Record<string, unknown>, path: string): FieldError[] {
  const handlers = ["exec", "httpGet", "tcpSocket", "grpc"].filter((handler) => probe[handler] !== undefined);
  if (handlers.length === 0) return [required(path, "must specify a handler type")];
  if (handlers.length > 1)
    return [
      { reason: "FieldValueForbidden", field: `${path}.${handlers[1] ?? ""}`, why: "Forbidden: may not specify more than 1 handler type" },
    ];
  return ["periodSeconds", "timeoutSeconds", "failureThreshold", "successThreshold", "initialDelaySeconds"]
    .filter((field) => typeof probe[field] === "number" && probe[field] < 0)
    .map((field) => invalidValue(`${path}.${field}`, probe[field], "must be greater than or equal to 0"));
}
