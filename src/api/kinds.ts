import { canary } from "./canary.ts";
import { gitRepository } from "./git-repository.ts";
import type { Kind } from "./meta.ts";
import { metricTemplate } from "./metric-template.ts";
import { revert } from "./revert.ts";
import { sync } from "./sync.ts";

/** All our kinds, in the order in which the reference lists them. */
export const kinds: readonly Kind[] = [gitRepository, sync, canary, metricTemplate, revert];
