import type { Canary } from "../api/canary.ts";
import type { KubeObject, ObjectRef } from "../api/object.ts";

/** Shares of traffic, in percent; they add up to 100. */
export interface TrafficSplit {
  readonly primary: number;
  readonly canary: number;
}

/** How one mesh or ingress expresses a traffic split. Pure: the controller reads and applies. */
export interface Router {
  /** Objects of the user that `routes` needs to see, e.g. their Ingress. */
  inputs(canary: Canary): ObjectRef[];
  /** Names of the objects that `routes` makes: the controller reads them back. */
  outputs(canary: Canary): ObjectRef[];
  /** Objects that make the data plane serve `split`. Throws StalledError on unusable inputs. */
  routes(canary: Canary, split: TrafficSplit, inputs: readonly KubeObject[]): KubeObject[];
  /** What stays when the Canary goes: all traffic to the apex Service, which then selects the target. */
  restored(canary: Canary): KubeObject[];
  /** Split the live objects express now; `undefined` before the first apply. */
  split(live: readonly KubeObject[]): TrafficSplit | undefined;
  /** Why the data plane does not serve the live objects yet, in one sentence; `undefined`: it does, or does not say. */
  notAccepted(live: readonly KubeObject[]): string | undefined;
}
