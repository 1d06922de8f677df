import type { RevertPhase } from "../api/revert.ts";

/** What the deciding fields say at HEAD, rendered without any hold. */
export type AtHead = "promoted" | "third" | "failed" | "unknown";

/**
 * What the Git host and the repository say of the proposal. `unknown`: they do not answer, or answer 401 or 404. `merged`: what
 * was merged may not have been fetched yet; `undone`: it was, and a later commit brought the failed values back; `reapplied`:
 * and its message says that it reverts ours.
 */
export type Proposal =
  | "none"
  | "open"
  | "merged"
  | "undone"
  | "reapplied"
  | "closedByPerson"
  | "closedByBot"
  | "branchMissing"
  | "unknown";

/** How things stand with one Revert that still holds. */
export interface Standing {
  readonly atHead: AtHead;
  readonly proposal: Proposal;
  /** Nobody else pushed to the branch. */
  readonly branchIsOurs: boolean;
  /** A person deleted the Revert object. */
  readonly deleted: boolean;
  /** It was pushed and opened a second time already. */
  readonly reopened: boolean;
}

/** What follows. `stay`: it holds on. `reopen`: push and open it once more. `branchDeleted`: held, a person must say. */
export type End =
  | { readonly do: "end"; readonly phase: Extract<RevertPhase, "Merged" | "Declined" | "Superseded"> }
  | { readonly do: "stay" | "reopen" | "branchDeleted" };

/** How one Revert ends (design rule 7): the first row that fits. Only the rendering decides, never a commit's id. Pure. */
export function endOf(standing: Standing): End {
  const row = rows.find(({ when }) => when(standing));
  return row?.outcome ?? { do: "stay" };
}

const rows: readonly { readonly when: (standing: Standing) => boolean; readonly outcome: End }[] = [
  // Deleting the object is the person's word, even while Git cannot be read.
  { when: ({ atHead, deleted }) => deleted && atHead === "unknown", outcome: { do: "end", phase: "Declined" } },
  { when: ({ atHead }) => atHead === "unknown", outcome: { do: "stay" } },
  { when: ({ atHead }) => atHead === "promoted", outcome: { do: "end", phase: "Merged" } },
  { when: ({ atHead }) => atHead === "third", outcome: { do: "end", phase: "Superseded" } },
  { when: ({ deleted }) => deleted, outcome: { do: "end", phase: "Declined" } },
  { when: ({ proposal }) => proposal === "reapplied", outcome: { do: "end", phase: "Declined" } },
  // What was refused stays refused: the Canary holds it from now on (design rule 8).
  { when: ({ proposal }) => proposal === "undone", outcome: { do: "end", phase: "Merged" } },
  { when: ({ proposal, branchIsOurs }) => proposal === "closedByPerson" && branchIsOurs, outcome: { do: "end", phase: "Declined" } },
  { when: ({ proposal, reopened }) => vanished(proposal) && !reopened, outcome: { do: "reopen" } },
  { when: ({ proposal }) => vanished(proposal), outcome: { do: "branchDeleted" } },
];

function vanished(proposal: Proposal): boolean {
  return proposal === "closedByBot" || proposal === "branchMissing";
}
