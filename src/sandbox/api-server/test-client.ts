import { Agent, request } from "undici";
import type { ApiServer } from "./api-server.ts";

/** What a test sees of an answer. `body` is loosely typed on purpose: tests compare what they name. */
export interface Reply {
  readonly code: number;
  readonly body: Body;
  readonly warnings: readonly string[];
}
/** The JSON of an answer. */
// oxlint-disable-next-line typescript/no-explicit-any -- tests reach into answers of every kind
export type Body = any;

/** Speaks plain HTTP to a server under test. */
export interface TestClient {
  get(path: string, headers?: Record<string, string>): Promise<Reply>;
  post(path: string, body: unknown): Promise<Reply>;
  put(path: string, body: unknown): Promise<Reply>;
  delete(path: string, body?: unknown): Promise<Reply>;
  /** @param type the patch's kind: merge, json, strategic */
  patch(path: string, type: "merge" | "json" | "strategic", body: unknown): Promise<Reply>;
  apply(path: string, manager: string, body: unknown, query?: string): Promise<Reply>;
  /** Events of a watch until it has given `count` of them. */
  watch(path: string, count: number): Promise<Body[]>;
  close(): Promise<void>;
}

const patchTypes = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
  strategic: "application/strategic-merge-patch+json",
};

/** A client of this server. Close it before the server. */
export function testClient({ url }: ApiServer): TestClient {
  const dispatcher = new Agent();
  const send = async (
    method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
    path: string,
    rest: { body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<Reply> => {
    const body = rest.body === undefined ? null : typeof rest.body === "string" ? rest.body : JSON.stringify(rest.body);
    const answer = await request(url + path, {
      method,
      body,
      dispatcher,
      headers: { "content-type": "application/json", "user-agent": "tester/1", ...rest.headers },
    });
    const text = await answer.body.text();
    const warning = answer.headers["warning"] ?? [];
    return {
      code: answer.statusCode,
      body: text.startsWith("{") ? JSON.parse(text) : text,
      warnings: Array.isArray(warning) ? warning : [warning],
    };
  };
  return {
    get: (path, headers = {}) => send("GET", path, { headers }),
    post: (path, body) => send("POST", path, { body }),
    put: (path, body) => send("PUT", path, { body }),
    delete: (path, body) => send("DELETE", path, { body }),
    patch: (path, type, body) => send("PATCH", path, { body, headers: { "content-type": patchTypes[type] } }),
    apply: (path, manager, body, query = "") =>
      send("PATCH", `${path}?fieldManager=${manager}${query}`, { body, headers: { "content-type": "application/apply-patch+yaml" } }),
    watch: async (path, count) => {
      const answer = await request(url + path, { dispatcher });
      const events: Body[] = [];
      let rest = "";
      for await (const chunk of answer.body) {
        const lines = (rest + String(chunk)).split("\n");
        rest = lines.pop() ?? "";
        events.push(...lines.map((line) => JSON.parse(line)));
        if (events.length >= count) break;
      }
      return events;
    },
    close: () => dispatcher.close(),
  };
}
