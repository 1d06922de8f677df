import type { IncomingMessage } from "node:http";
import { ApiError, noSuchResource } from "./api-error.ts";
import type { FieldValidation } from "./decode.ts";
import type { WriteOptions } from "./objects.ts";
import type { Registry, ResourceType } from "./resource-type.ts";

/** Words of the API for what a request does. */
export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection";

/** What a request's path and method say. */
export interface Target {
  readonly type: ResourceType;
  readonly verb: Verb;
  readonly namespace: string | undefined;
  /** Missing for collections. */
  readonly name: string | undefined;
  /** Empty for the object itself. */
  readonly subresource: string;
}

/** The path's segments below the group and version. */
interface Segments {
  readonly namespace?: string | undefined;
  readonly plural: string;
  readonly name?: string | undefined;
  readonly subresource: string;
}

/** Finds what a request is about. `undefined` when the path is not one of objects; throws 404 when it is but nothing serves it. */
export function targetOf(registry: Registry, method: string, url: URL): Target | undefined {
  const { group, version, below } = rootOf(url.pathname);
  if (below.length === 0) return undefined;
  // An unknown group is no path of this server at all.
  if (!registry.all().some((type) => type.group === group && type.version === version)) return undefined;
  const { namespace, plural, name, subresource } = segments(below);
  const type = registry.find(group, version, plural);
  if (type === undefined || (namespace !== undefined && !type.namespaced)) throw noSuchResource();
  return { type, namespace, name, subresource, verb: verbOf(method, name, url.searchParams) };
}

/** Group, version and what follows; nothing follows where the path is not one of objects. */
function rootOf(pathname: string): { group: string; version: string; below: string[] } {
  const [root, ...rest] = pathname
    .split("/")
    .filter((part) => part !== "")
    .map(decodeURIComponent);
  const [group = "", version = "", ...below] = root === "api" ? ["", ...rest] : root === "apis" ? rest : [];
  return { group, version, below };
}

function segments(parts: string[]): Segments {
  const [first = "", second, third, ...more] = parts;
  const ownSubresource = third === "status" || third === "finalize";
  if (first === "namespaces" && third !== undefined && !(ownSubresource && more.length === 0)) {
    return { namespace: second, plural: third, name: more[0], subresource: more.slice(1).join("/") };
  }
  return { plural: first, name: second, subresource: parts.slice(2).join("/") };
}

function verbOf(method: string, name: string | undefined, query: URLSearchParams): Verb {
  const watching = query.get("watch") === "true" || query.get("watch") === "1";
  switch (method) {
    case "GET":
      if (watching) return "watch";
      return name === undefined ? "list" : "get";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return name === undefined ? "deletecollection" : "delete";
    default:
      throw new ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});
  }
}

/** Reads how a write is to be done from the query and the client's name. */
export function writeOptions(request: IncomingMessage, query: URLSearchParams, subresource: string): WriteOptions {
  const asked = query.get("fieldValidation");
  const validation: FieldValidation = asked === "Strict" || asked === "Ignore" ? asked : "Warn";
  return {
    manager: query.get("fieldManager") ?? "",
    dryRun: query.getAll("dryRun").includes("All"),
    validation,
    subresource: subresource === "" ? "" : subresource,
    ...defaultManager(request, query),
  };
}

/** An ordinary write without a field manager is its client's, by the first word of its User-Agent; an apply must name one. */
function defaultManager(request: IncomingMessage, query: URLSearchParams): { manager?: string } {
  const isApply = request.headers["content-type"]?.startsWith("application/apply-patch") === true;
  if (query.has("fieldManager") || isApply) return {};
  return { manager: (request.headers["user-agent"] ?? "").split("/")[0] ?? "" };
}

/** In which form the client wants its answer. */
export interface AnswerForm {
  readonly as: "objects" | "table" | "metadata";
}

/** Reads an Accept header: the first form in it that this server speaks. Throws 406 when there is none. */
export function answerForm(accept: string | undefined): AnswerForm {
  const wanted = (accept ?? "*/*").split(",").map((clause) => clause.trim());
  for (const clause of wanted) {
    const form = formOf(clause);
    if (form !== undefined) return { as: form };
  }
  throw new ApiError(406, "NotAcceptable", "only the following media types are accepted: application/json", {});
}

function formOf(clause: string): AnswerForm["as"] | undefined {
  const [mediaType = "", ...parameters] = clause.split(";").map((part) => part.trim());
  if (!["application/json", "*/*", "application/*", "application/yaml"].includes(mediaType)) return undefined;
  const as = parameters.find((parameter) => parameter.startsWith("as="))?.slice(3);
  if (as === "Table") return "table";
  if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList") return "metadata";
  return as === undefined ? "objects" : undefined;
}
