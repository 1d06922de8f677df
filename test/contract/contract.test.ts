import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type ApiExchange, openContract } from "./contract.ts";

const contract = openContract(JSON.parse(readFileSync(join(import.meta.dirname, "gitea-api.json"), "utf8")), "#/components/schemas/Error");
const comment = { id: 1, user: { id: 1, login: "ada" }, body: "x", created_at: "2026-01-02T03:04:05Z", updated_at: "2026-01-02T03:04:05Z" };
const path = "/repos/team/app/issues/7/comments";

function exchange(change: Partial<ApiExchange>): ApiExchange {
  return { method: "POST", path, query: new URLSearchParams(), body: { body: "x" }, status: 201, reply: comment, ...change };
}

test.each<[string, Partial<ApiExchange>, RegExp | undefined]>([
  ["what the description says is no violation", {}, undefined],
  ["an unlisted error in the usual form is none", { status: 401, reply: { message: "no", url: "" } }, undefined],
  ["an unlisted error in another form is one", { status: 401, reply: { error: "no" } }, /reply .*message/],
  ["an unlisted success is one", { status: 200 }, /never answers 200/],
  ["an unknown path is one", { path: "/repos/team/app/nothing" }, /no such operation/],
  ["an unknown method is one", { method: "PUT" }, /no such operation/],
  ["an unknown query parameter is one", { query: new URLSearchParams({ limit: "1" }) }, /no query parameter limit/],
  ["a path parameter of the wrong type is one", { path: path.replace("7", "seven") }, /parameter index: .*integer/],
  ["an unknown field in the body is one", { body: { body: "x", text: "y" } }, /no field text/],
  ["a missing field in the body is one", { body: {} }, /body .*required property 'body'/],
  ["a body where none is taken is one", { method: "GET", status: 200, reply: [] }, /takes no JSON body/],
  ["a missing field in the reply is one", { reply: { ...comment, user: undefined } }, /reply .*required property 'user'/],
  ["a field of the wrong type in the reply is one", { reply: { ...comment, id: "1" } }, /reply\/id .*integer/],
])("%s", (_, change, want) => {
  const found = contract.violations(exchange(change));
  expect(found.join("\n")).toMatch(want ?? /^$/);
});
