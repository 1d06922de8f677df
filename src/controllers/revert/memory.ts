import type { Obstacle } from "./obstacles.ts";

/** What one process remembers between two runs. Losing it costs work, never correctness. */
export interface Memory {
  /** Per repository: which Revert was let pass the hourly limit and when. Two that run at once must not pass together. */
  readonly proposing: Map<string, Map<string, number>>;
  /** Per repository: the end of the proposal that is being made. One undoes what another is about to undo: they go one by one. */
  readonly turns: Map<string, Promise<unknown>>;
  /** Per Revert: for what no plan was found, and why. The same inputs would give the same answer. */
  readonly planless: Map<string, { readonly inputs: string; readonly why: Obstacle }>;
  /** Per Revert: commit up to which its pull request was told of changes to the held workload. */
  readonly toldUpTo: Map<string, string>;
  /** Reverts that tell of a storm. Two that see it at once must not both tell. */
  readonly storms: Set<string>;
}

/** An empty memory. */
export function createMemory(): Memory {
  return { proposing: new Map(), turns: new Map(), planless: new Map(), toldUpTo: new Map(), storms: new Set() };
}

/** Does something when what was begun earlier for this repository has ended, well or badly. */
export async function inTurn<T>({ turns }: Memory, repository: string, act: () => Promise<T>): Promise<T> {
  const turn = (turns.get(repository) ?? Promise.resolve()).then(act, act);
  turns.set(repository, turn);
  try {
    return await turn;
  } finally {
    if (turns.get(repository) === turn) turns.delete(repository);
  }
}

/** Forgets a Revert that has ended or is gone. */
export function forget({ proposing, planless, toldUpTo, storms }: Memory, key: string): void {
  for (const reverts of proposing.values()) reverts.delete(key);
  planless.delete(key);
  toldUpTo.delete(key);
  storms.delete(key);
}
