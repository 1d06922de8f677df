import type { Canary } from "../api/canary.ts";

/** Name of the apex Service, which is also the route's. */
export function apexName({ spec }: Canary): string {
  return spec.service.name ?? spec.targetRef.name;
}

/** Name of the Service in front of one side's pods. */
export function sideName(canary: Canary, side: "primary" | "canary"): string {
  return `${apexName(canary)}-${side}`;
}
