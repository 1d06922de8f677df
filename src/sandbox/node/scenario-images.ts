import type { Images, Program } from "./images.ts";
import { anyOf, imageTable } from "./images.ts";
import { shopImages } from "./programs.ts";

/**
 * What tags of `serin.dev/shop` do wherever the end-to-end suite runs, also with a suffix (`bad-2`). Any other tag is a good
 * release; one that starts with `missing` does not exist, and for `broken-registry` the registry answers 500.
 */
export const scenarioTags = {
  /** Every answer is an error. */
  bad: { ERROR_PERCENT: "100" },
  /** Three of ten answers are errors. */
  poor: { ERROR_PERCENT: "30" },
  slow: { LATENCY_MS: "2000" },
  /** Ends at once, every time. */
  crash: { CRASH_AFTER_MS: "100" },
  /** Becomes ready, and ends some seconds later, every time. */
  dying: { CRASH_AFTER_MS: "6000" },
  flap: { READINESS: "flap", READINESS_FLAP_MS: "2000" },
  unready: { READINESS: "never" },
} as const;

/** The registry that both places of the end-to-end suite have: the shop, and `serin.dev/idle`, which costs nothing. */
export function scenarioImages(): Images {
  return anyOf(shopImages(scenarioTags), imageTable({ "serin.dev/idle": () => idle }));
}

/** Ready as long as it runs; it has neither a process nor a port, so that thousands fit on one machine. */
const idle: Program = ({ signal }) => {
  const ended = new Promise<void>((resolve) => {
    // Asked to stop while it was being started: nothing will say so again.
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  return { alone: { ended, probed: false } };
};
