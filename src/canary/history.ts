import type { Canary, CanaryStatus } from "../api/canary.ts";
import { revisionContent, type RevisionContent } from "../api/cause.ts";
import type { KindRef, KubeObject } from "../api/object.ts";
import { owned } from "./owned.ts";
import type { Revision } from "./revision.ts";

/** The kind that keeps what each revision consisted of. */
export const recordKind: KindRef = { apiVersion: "apps/v1", kind: "ControllerRevision" };

/** How many revisions are kept; the promoted and the tracked one always. */
const kept = 10;

/** A revision that is kept beside the Canary. */
export interface PastRevision {
  readonly id: string;
  readonly content: RevisionContent;
  /** Rises with each revision that was seen first. */
  readonly number: number;
  readonly name: string;
}

/** Name of the ControllerRevision that keeps this revision. */
export function recordName({ metadata }: Canary, revision: string): string {
  return `${metadata.name}-${revision}`;
}

/** The ControllerRevision of a revision that is seen for the first time. Its content never changes. */
export function recordOf(canary: Canary, { id, content }: Pick<Revision, "id" | "content">, history: readonly PastRevision[]): KubeObject {
  const number = Math.max(0, ...history.map((past) => past.number)) + 1;
  return { ...owned(canary, { ...recordKind, name: recordName(canary, id) }), data: content, revision: number };
}

/** The revisions in these ControllerRevisions, newest first. One that cannot be read is left out. */
export function historyOf({ metadata }: Canary, records: readonly KubeObject[]): PastRevision[] {
  const prefix = `${metadata.name}-`;
  return records
    .flatMap((record) => {
      const content = revisionContent.safeParse(record["data"]);
      if (!content.success || !record.metadata.name.startsWith(prefix)) return [];
      return [
        {
          id: record.metadata.name.slice(prefix.length),
          content: content.data,
          number: Number(record["revision"] ?? 0),
          name: record.metadata.name,
        },
      ];
    })
    .sort((a, b) => b.number - a.number);
}

/** Content of the revision with this identity. */
export function contentOf(history: readonly PastRevision[], id: string | undefined): RevisionContent | undefined {
  return history.find((past) => past.id === id)?.content;
}

/** The revisions before this one, newest first. */
export function earlierThan(history: readonly PastRevision[], id: string | undefined): RevisionContent[] {
  return history.filter((past) => past.id !== id).slice(0, kept).map(({ content }) => content);
}

/** Those that need not be kept any longer. */
export function stale(history: readonly PastRevision[], { promotedRevision, trackedRevision }: CanaryStatus): PastRevision[] {
  return history.slice(kept).filter(({ id }) => id !== promotedRevision && id !== trackedRevision);
}
