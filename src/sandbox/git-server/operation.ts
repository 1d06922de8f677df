import { z } from "zod";
import type { View } from "./api-views.ts";
import type { Doer } from "./pulls.ts";
import { Refused, type Repository } from "./repository.ts";
import type { Store } from "./store.ts";
import type { Caller } from "./users.ts";

/** What the API is made of. */
export interface ApiOptions {
  readonly store: Store;
  readonly view: View;
  /** Called after a change that may have moved branches. */
  readonly moved: (repository: Repository, login: string) => Promise<void>;
}

/** One request to the API, its credentials checked. */
export interface ApiRequest {
  readonly method: string;
  /** Below `/api/v1`, still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly caller: Caller | undefined;
  /** The parsed body; read only by operations that have one. */
  readonly body: () => Promise<unknown>;
}

/** An HTTP status and what is sent as JSON; `undefined`: nothing is. */
export interface ApiReply {
  readonly status: number;
  readonly json?: unknown;
}

/** What every operation on a repository is given. */
interface Context extends ApiOptions {
  readonly request: ApiRequest;
  readonly repository: Repository;
  /** The decoded parts of the path that are not fixed. */
  readonly parts: readonly string[];
  readonly doer: Doer;
}

/** One operation on a repository. Throws {@link Refused}. */
export type Operation = (context: Context) => Promise<ApiReply>;

/** Gitea's paging: 30 a page unless asked otherwise, at most 50. */
export function paged<T>(items: readonly T[], query: URLSearchParams): T[] {
  const limit = Math.min(Number(query.get("limit") ?? 30) || 30, 50);
  const page = Math.max(Number(query.get("page") ?? 1) || 1, 1);
  return items.slice((page - 1) * limit, page * limit);
}

/** The body as its schema reads it. Throws {@link Refused} 422. */
export async function parsed<T>(request: ApiRequest, schema: z.ZodType<T>): Promise<T> {
  const result = schema.safeParse(await request.body());
  if (!result.success) throw new Refused(422, z.prettifyError(result.error));
  return result.data;
}
