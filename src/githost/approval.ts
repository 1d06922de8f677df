/** One review of a pull request, whichever host it is on. */
export interface Review {
  readonly login: string;
  readonly bot: boolean;
  /** `none`: a comment, a pending or a dismissed review. */
  readonly says: "approve" | "refuse" | "none";
}

/** Whether the last word of any person is an approval. @param reviews oldest first */
export function approvedByPerson(reviews: readonly Review[]): boolean {
  const lastWord = new Map<string, Review["says"]>();
  for (const { login, bot, says } of reviews) if (!bot && says !== "none") lastWord.set(login, says);
  return [...lastWord.values()].includes("approve");
}
