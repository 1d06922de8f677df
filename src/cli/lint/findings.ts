import { StalledError, WaitingError } from "../../lib/errors.ts";
import { NotGivenError } from "./given.ts";
import { type GivenObject, type Problem, problemOf } from "./problem.ts";

/** Collects what checks find. */
export interface Findings {
  readonly problems: Problem[];
  /** Objects that are named and that the files cannot speak of. */
  readonly unchecked: Set<string>;
  /** Runs a check of a field: what would stall the object is a problem, what needs other files is only counted. True: all was well. */
  check(given: GivenObject, field: string, run: () => unknown): Promise<boolean>;
}

/** Nothing found yet. */
export function createFindings(): Findings {
  const problems: Problem[] = [];
  const unchecked = new Set<string>();
  return {
    problems,
    unchecked,
    check: async (given, field, run) => {
      try {
        await run();
        return true;
      } catch (error) {
        if (error instanceof NotGivenError) unchecked.add(error.message);
        else if (error instanceof StalledError || error instanceof WaitingError) {
          const { message, reason } = error;
          const said = problems.some((problem) => problem.message === message && problem.file === given.file);
          if (!said) problems.push(problemOf(given, field, { message, reason }));
        } else throw error;
        return false;
      }
    },
  };
}
