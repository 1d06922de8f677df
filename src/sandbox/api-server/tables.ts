import type { KubeObject } from "../../api/object.ts";
import { isRecord } from "../../lib/json.ts";
import { jsonPathValues } from "./json-path.ts";
import type { Cell, Column, ResourceType } from "./resource-type.ts";

/** How old something is, as kubectl's columns show it: `42s`, `5m3s`, `3h12m`, `2d`. */
export function ageText(since: unknown, nowMs: number): string {
  if (typeof since !== "string" || since === "") return "<unknown>";
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(since)) / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return twoUnits(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return `${minutes}m`;
  return longAge(Math.floor(minutes / 60), minutes);
}

function longAge(hours: number, minutes: number): string {
  if (hours < 8) return twoUnits(hours, "h", minutes % 60, "m");
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (days < 8) return twoUnits(days, "d", hours % 24, "h");
  return days < 730 ? `${days}d` : twoUnits(Math.floor(days / 365), "y", days % 365, "d");
}

function twoUnits(big: number, bigUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${big}${bigUnit}` : `${big}${bigUnit}${small}${smallUnit}`;
}

/** The column that every kind without one of its own ends with. */
export const ageColumn: Column = {
  name: "Age",
  type: "string",
  priority: 0,
  cell: ({ metadata }, nowMs) => ageText(metadata.creationTimestamp, nowMs),
};

/** The columns of a CRD version: its `additionalPrinterColumns`, or only the age. */
export function printerColumns(columns: unknown): Column[] {
  if (!Array.isArray(columns) || columns.length === 0) return [ageColumn];
  return columns.filter(isRecord).map((column) => {
    const type = String(column["type"]);
    const path = String(column["jsonPath"]);
    return {
      name: String(column["name"]),
      type,
      format: typeof column["format"] === "string" ? column["format"] : "",
      description: typeof column["description"] === "string" ? column["description"] : "",
      priority: typeof column["priority"] === "number" ? column["priority"] : 0,
      cell: (object, nowMs) => printed(jsonPathValues(object, path)[0], type, nowMs),
    };
  });
}

function printed(value: unknown, type: string, nowMs: number): Cell {
  if (value === undefined || value === null) return undefined;
  if (type === "date") return ageText(value, nowMs);
  if (type === "integer" || type === "number") return typeof value === "number" ? value : undefined;
  if (type === "boolean") return typeof value === "boolean" ? value : undefined;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** What kubectl asks for instead of objects: rows of cells. */
export function tableOf(
  type: ResourceType,
  objects: readonly KubeObject[],
  options: { metadata: object; includeObject: string; nowMs: number; headers: boolean },
): object {
  const named: Column = {
    name: "Name",
    type: "string",
    format: "name",
    description: "Name of the object.",
    priority: 0,
    cell: ({ metadata }) => metadata.name,
  };
  // Nobody reads the names of events first.
  const columns = type.kind === "Event" && !type.custom ? type.columns : [named, ...type.columns];
  const definitions = columns.map(({ name, type: cellType, format = "", description = "", priority }) => ({
    name,
    type: cellType,
    format,
    description,
    priority,
  }));
  const rows = objects.map((object) => ({
    cells: columns.map((column) => column.cell(object, options.nowMs) ?? null),
    ...(options.includeObject !== "None" && { object: options.includeObject === "Object" ? object : metadataOf(object) }),
  }));
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: options.metadata,
    columnDefinitions: options.headers ? definitions : null,
    rows,
  };
}

/** The object's metadata alone, as rows of tables and metadata-only clients get it. */
export function metadataOf({ metadata }: KubeObject): KubeObject {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata };
}
