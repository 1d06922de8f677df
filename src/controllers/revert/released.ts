import { names } from "../../api/meta.ts";
import type { Revert } from "../../api/revert.ts";

/** Whether a person released a Revert that is only held. */
export function isReleased({ metadata }: Revert): boolean {
  return metadata.annotations?.[names.release] !== undefined;
}
