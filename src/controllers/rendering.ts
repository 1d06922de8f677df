import type { GitRepository } from "../api/git-repository.ts";
import type { Sync } from "../api/sync.ts";
import type { RenderedObject } from "../render/renderer.ts";

/**
 * What a Sync's folder says at a commit or tree: rendered, in the Sync's target namespace, before anything is held back
 * or handed over. Cached by content, so asking again is cheap. Throws StalledError for what only a person can mend.
 */
export type RenderAt = (sync: Sync, repository: GitRepository, commitOrTree: string, signal: AbortSignal) => Promise<RenderedObject[]>;
