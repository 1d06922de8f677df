/** Why nothing can be proposed. The hold goes on all the same. */
export interface NoPlan {
  readonly outcome: "none";
  /** `Blocked`: no clean inverse. The others say why it is not Git's business. */
  readonly phase: "Planned" | "Blocked";
  readonly reason: string;
  readonly message: string;
  readonly conflicts?: readonly string[] | undefined;
}

/** A {@link NoPlan}. @param message one sentence without a full stop */
export function noPlan(phase: NoPlan["phase"], reason: string, message: string, conflicts?: readonly string[]): NoPlan {
  return { outcome: "none", phase, reason, message, conflicts };
}
