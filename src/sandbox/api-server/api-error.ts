import type { ResourceType } from "./resource-type.ts";

/** One entry of `details.causes`: which field is wrong, or who owns it. */
export interface Cause {
  readonly reason: string;
  readonly message: string;
  readonly field?: string;
}

/** `details` of a Status object. */
export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly Cause[];
  readonly retryAfterSeconds?: number;
}

/** A request that is answered with a Status object instead of what was asked for. */
export class ApiError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;

  constructor(code: number, reason: string, message: string, details?: StatusDetails) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.reason = reason;
    this.details = details;
  }
}

/** The Status object that says what went wrong, as the answer to a request or the object of a watch's ERROR event. */
export function statusOf(error: ApiError): Record<string, unknown> {
  const { message, reason, details, code } = error;
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    ...(reason !== "" && { reason }),
    ...(details && { details }),
    code,
  };
}

/** `deployments.apps`, or `pods` for the core group: how messages name a resource. */
export function qualifiedName({ plural, group }: ResourceType): string {
  return group === "" ? plural : `${plural}.${group}`;
}

function details(resource: ResourceType, name: string): StatusDetails {
  return { name, ...(resource.group !== "" && { group: resource.group }), kind: resource.plural };
}

/** 404 for an object. */
export function notFound(resource: ResourceType, name: string): ApiError {
  return new ApiError(404, "NotFound", `${qualifiedName(resource)} "${name}" not found`, details(resource, name));
}

/** 404 for a path that no resource serves. */
export function noSuchResource(): ApiError {
  return new ApiError(404, "NotFound", "the server could not find the requested resource", {});
}

/** 409 for a create of something that is there. */
export function alreadyExists(resource: ResourceType, name: string, isGoing: boolean): ApiError {
  return new ApiError(
    409,
    "AlreadyExists",
    `${isGoing ? "object is being deleted: " : ""}${qualifiedName(resource)} "${name}" already exists`,
    details(resource, name),
  );
}

/** 409 for a write that rests on something that has changed meanwhile. */
export function conflict(resource: ResourceType, name: string, why: string): ApiError {
  return new ApiError(
    409,
    "Conflict",
    `Operation cannot be fulfilled on ${qualifiedName(resource)} "${name}": ${why}`,
    details(resource, name),
  );
}

/** 400. */
export function badRequest(message: string): ApiError {
  return new ApiError(400, "BadRequest", message);
}

/** 405 for a verb that the resource does not have. */
export function methodNotAllowed(): ApiError {
  return new ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});
}

/** 403 of a user who may not do this, or of an object that its namespace or quota refuses. */
export function forbidden(resource: ResourceType, name: string, why: string): ApiError {
  const named = name === "" ? "" : ` "${name}"`;
  return new ApiError(403, "Forbidden", `${qualifiedName(resource)}${named} is forbidden: ${why}`, details(resource, name));
}

/** 410: the history that the client asks for is gone; it must list anew. */
export function expired(message: string): ApiError {
  return new ApiError(410, "Expired", message);
}

/** One field of an object that is wrong: `why` follows the path in the message. */
export interface FieldError {
  readonly reason:
    | "FieldValueInvalid"
    | "FieldValueRequired"
    | "FieldValueNotSupported"
    | "FieldValueDuplicate"
    | "FieldValueForbidden"
    | "FieldValueTooLong"
    | "FieldValueTooMany"
    | "FieldValueTypeInvalid"
    | "FieldValueNotFound";
  readonly field: string;
  readonly why: string;
}

/** A value that does not fit, shown as Kubernetes shows it. */
export function invalidValue(field: string, value: unknown, why: string): FieldError {
  return { reason: "FieldValueInvalid", field, why: `Invalid value: ${shown(value)}: ${why}` };
}

/** A missing value. */
export function required(field: string, why = ""): FieldError {
  return { reason: "FieldValueRequired", field, why: why === "" ? "Required value" : `Required value: ${why}` };
}

/** A value outside a list of allowed ones. */
export function unsupported(field: string, value: unknown, allowed: readonly unknown[]): FieldError {
  const list = allowed.map((item) => JSON.stringify(item)).join(", ");
  return { reason: "FieldValueNotSupported", field, why: `Unsupported value: ${shown(value)}: supported values: ${list}` };
}

/** A value that is there twice. */
export function duplicate(field: string, value: unknown): FieldError {
  return { reason: "FieldValueDuplicate", field, why: `Duplicate value: ${shown(value)}` };
}

/** A field that must not be set, or not be changed. */
export function forbiddenField(field: string, why: string): FieldError {
  return { reason: "FieldValueForbidden", field, why: `Forbidden: ${why}` };
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? "null";
}

/** 422 that lists every wrong field, as `kubectl` shows it. */
export function invalid(resource: ResourceType, name: string, errors: readonly FieldError[]): ApiError {
  const lines = [...new Set(errors.map(({ field, why }) => `${field}: ${why}`))];
  const what = resource.group === "" ? resource.kind : `${resource.kind}.${resource.group}`;
  const text = lines.length === 1 ? lines[0] : `[${lines.join(", ")}]`;
  const causes = errors.map(({ reason, field, why }) => ({ reason, message: why, field }));
  const group = resource.group === "" ? {} : { group: resource.group };
  return new ApiError(422, "Invalid", `${what} "${name}" is invalid: ${text}`, {
    ...(name !== "" && { name }),
    ...group,
    kind: resource.kind,
    causes,
  });
}
