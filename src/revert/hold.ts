import type { CauseField } from "../api/cause.ts";
import type { KubeObject } from "../api/object.ts";

/** One failed change that is kept out of the cluster, whatever Git says. */
export interface Hold {
  /** Name of the Canary, for the Sync's revision text. */
  readonly canary: string;
  /** Namespace of the canary's target and its configs. */
  readonly namespace: string;
  /**
   * The fields of the cause. A Secret's `promoted` value is filled in by the caller from the primary's copy; a config
   * that others use too is left out by the caller.
   */
  readonly fields: readonly CauseField[];
}

/** What holding gave. */
export interface Held {
  readonly objects: KubeObject[];
  /** Names of the canaries of which at least one failed value was found and replaced. */
  readonly holding: string[];
}
