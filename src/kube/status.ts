import { isRecord } from "../lib/json.ts";
import { KubeError, type StatusCause } from "./kube.ts";

/** An HTTP answer that has been read to its end. */
export interface Answer {
  readonly code: number;
  readonly text: string;
  /** What was asked, e.g. `GET /api/v1/pods`, for messages. */
  readonly asked: string;
}

/** The JSON of a good answer. Throws KubeError for a refusal, and for an answer that is not the API server's. */
export function decodeAnswer(answer: Answer): unknown {
  if (answer.code >= 300) throw errorOf(answer);
  try {
    return JSON.parse(answer.text) as unknown;
  } catch {
    throw notJson(answer);
  }
}

const misfit = /^failed to create (typed|manager for) |^failed to convert new object |\bfield not declared in schema\b/;

/** The refusal in an answer, as an error: its Status object when there is one. */
export function errorOf(answer: Answer): KubeError {
  const status = parseStatus(answer.text);
  if (!status) return notJson(answer);
  const message = typeof status["message"] === "string" && status["message"] !== "" ? status["message"] : `${answer.asked} was answered with HTTP ${answer.code}`;
  // The API server answers an apply that does not fit the schema with a plain 500; trying again would not help.
  if (answer.code === 500 && misfit.test(message)) return new KubeError(422, "Invalid", message, causesOf(status["details"]));
  const reason = typeof status["reason"] === "string" && status["reason"] !== "" ? status["reason"] : reasonOf(answer.code);
  return new KubeError(answer.code, reason, message, causesOf(status["details"]));
}

/** Whether the error is a 404 for the path, so for the kind, and not for one object. */
export function isUnknownPath(error: unknown): boolean {
  return (
    error instanceof KubeError && error.code === 404 && /does not know this path$|could not find the requested resource/.test(error.message)
  );
}

/** No answer came, or not all of it. `cause` is the transport's error. */
export function unreachable(asked: string, cause: unknown): KubeError {
  return Object.assign(new KubeError(0, "Unreachable", `${asked}: the API server gave no answer`), { cause });
}

/** What the Status object itself says about when to come back, in milliseconds. */
export function retryAfterOf(text: string): number | undefined {
  const details = parseStatus(text)?.["details"];
  const seconds = isRecord(details) ? details["retryAfterSeconds"] : undefined;
  return typeof seconds === "number" && seconds > 0 ? seconds * 1_000 : undefined;
}

function parseStatus(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return isRecord(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function notJson({ code, text, asked }: Answer): KubeError {
  // The API server itself answers unknown paths in plain text.
  if (code === 404) return new KubeError(404, "NotFound", `${asked}: the API server does not know this path`);
  const start = text.trimStart().slice(0, 80).replaceAll(/\s+/g, " ");
  const what = start.startsWith("<") ? "an HTML page" : start === "" ? "nothing" : `"${start}"`;
  const hint = "is a proxy or another server in front of the API server?";
  return new KubeError(code, code >= 300 ? reasonOf(code) : "NotKubernetes", `${asked}: HTTP ${code} with ${what} instead of JSON; ${hint}`);
}

const reasons: Record<number, string> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  409: "Conflict",
  410: "Expired",
  413: "RequestEntityTooLarge",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

function reasonOf(code: number): string {
  return reasons[code] ?? `HTTP${code}`;
}

function causesOf(details: unknown): StatusCause[] {
  const causes = isRecord(details) ? details["causes"] : undefined;
  if (!Array.isArray(causes)) return [];
  return causes.filter(isRecord).map((cause) => ({
    ...(typeof cause["reason"] === "string" ? { reason: cause["reason"] } : {}),
    ...(typeof cause["message"] === "string" ? { message: cause["message"] } : {}),
    ...(typeof cause["field"] === "string" ? { field: cause["field"] } : {}),
  }));
}
