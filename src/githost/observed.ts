import type { GitHost, GitHostErrorReason } from "./git-host.ts";
import { GitHostError } from "./git-host.ts";

/** One call of a Git host's method, which may be several requests. */
interface HostCall {
  readonly call: keyof GitHost;
  /** Why it failed; missing when it did not, or was broken off. */
  readonly reason?: GitHostErrorReason | undefined;
  readonly durationMs: number;
}

/** Told of every call of a Git host, for metrics. Must be cheap and must not throw. */
export type HostObserver = (call: HostCall) => void;

/** The same host, with an observer that hears of every call. */
export function observedHost(host: GitHost, observer: HostObserver): GitHost {
  const told = async <T>(call: keyof GitHost, work: () => Promise<T>): Promise<T> => {
    const startedMs = performance.now();
    const tell = (reason?: GitHostErrorReason): void => observer({ call, reason, durationMs: performance.now() - startedMs });
    try {
      const value = await work();
      tell();
      return value;
    } catch (error) {
      tell(error instanceof GitHostError ? error.reason : undefined);
      throw error;
    }
  };
  return {
    findPullRequest: (...args) => told("findPullRequest", () => host.findPullRequest(...args)),
    createPullRequest: (...args) => told("createPullRequest", () => host.createPullRequest(...args)),
    updatePullRequest: (...args) => told("updatePullRequest", () => host.updatePullRequest(...args)),
    comment: (...args) => told("comment", () => host.comment(...args)),
  };
}
