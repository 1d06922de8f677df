import type { Canary, RouterName } from "../../api/canary.ts";
import { keyOf } from "../../api/object.ts";
import { StalledError } from "../../lib/errors.ts";
import type { CanaryDefaults } from "./deps.ts";

/** The router of a Canary. Throws StalledError when neither it nor the controller names one. */
export function routerOf({ provider }: CanaryDefaults, { metadata, spec }: Canary): RouterName {
  const name = spec.provider ?? provider;
  if (name !== undefined) return name;
  throw new StalledError("ProviderMissing", `Canary ${keyOf(metadata)}: spec.provider is not set and the controller has no default; set one of them`);
}
