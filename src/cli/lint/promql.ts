import { parser } from "@prometheus-io/lezer-promql";
import { StalledError } from "../../lib/errors.ts";

/** Throws StalledError when a query, its variables filled in, is not PromQL: Prometheus would refuse it in the middle of a release. */
export function requirePromql(label: string, query: string): void {
  const cursor = parser.parse(query).cursor();
  do {
    if (!cursor.type.isError) continue;
    const near = query.slice(cursor.from, cursor.from + 20).trim();
    const what = near === "" ? "it ends too early" : `unexpected "${near}"`;
    throw new StalledError("InvalidQuery", `${label}: not PromQL at character ${cursor.from + 1}: ${what}; the query is ${query.slice(0, 200)}`);
  } while (cursor.next());
}
