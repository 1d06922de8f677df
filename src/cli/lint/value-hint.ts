import type { Schema } from "../../api/structural.ts";
import { durationPattern } from "../../lib/duration.ts";

/** What was most likely meant by a value that its field's schema refuses; an empty text where nothing can be guessed. */
export function valueHint(schema: Schema | undefined, value: unknown): string {
  // What lacks, or fits the schema and breaks a rule, has a sentence of its own.
  if (!schema || value === undefined || (typeof value === "string" && durationPattern.test(value))) return "";
  if (schema["pattern"] === durationPattern.source) return durationHint(value);
  const isFraction = typeof value === "number" && value > 0 && value < 1;
  return isFraction && isPercent(schema) ? percentHint(value, schema) : "";
}

function isPercent({ description }: Schema): boolean {
  return typeof description === "string" && description.startsWith("Percent");
}

/** In minutes and hours as people write them; a number without a unit is most often seconds. */
const spoken = /^\s*(\d+(?:\.\d+)?)\s*(?:(ms|millis\w*)|(s|secs?|seconds?|)|(m|mins?|minutes?)|(h|hrs?|hours?)|(d|days?))\s*$/i;
const hoursOfDay = 24;

function durationHint(value: unknown): string {
  const [, amount, ms, seconds, minutes, hours] = spoken.exec(String(value)) ?? [];
  if (amount === undefined) return "; write it like 30s, 1m30s or 1h";
  const unit = ms ? "ms" : seconds !== undefined ? "s" : minutes ? "m" : "h";
  const isDays = unit === "h" && hours === undefined;
  return `; did you mean ${isDays ? Number(amount) * hoursOfDay : amount}${unit}?`;
}

/** A fraction in place of a percentage. */
function percentHint(value: number, { type, minimum }: Schema): string {
  const meant = Number((value * 100).toPrecision(12));
  const fits = (type !== "integer" || Number.isInteger(meant)) && meant >= Number(minimum ?? 0);
  return fits ? `; it is in percent: did you mean ${meant}?` : "; it is in percent";
}
