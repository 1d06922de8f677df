import { expect, test } from "vitest";
import { StalledError } from "../lib/errors.ts";
import { type HostAddress, hostAddress, type HostKind } from "./address.ts";

const app: Omit<HostAddress, "apiURL"> = { owner: "team", repository: "app" };

test.each<[HostKind, string, string | undefined, HostAddress]>([
  ["github", "https://github.com/team/app", undefined, { apiURL: "https://api.github.com", ...app }],
  ["github", "https://github.com/team/app.git", undefined, { apiURL: "https://api.github.com", ...app }],
  ["github", "https://github.com/team/app/", undefined, { apiURL: "https://api.github.com", ...app }],
  ["github", "https://ghe/team/a.b", "https://ghe/api/v3/", { apiURL: "https://ghe/api/v3", owner: "team", repository: "a.b" }],
  ["gitea", "http://127.0.0.1:3000/team/app.git", undefined, { apiURL: "http://127.0.0.1:3000/api/v1", ...app }],
  ["gitea", "https://example.com/code/team/app", undefined, { apiURL: "https://example.com/code/api/v1", ...app }],
  ["gitea", "https://git.example.com/team/app", "http://gitea.internal/api/v1", { apiURL: "http://gitea.internal/api/v1", ...app }],
])("%s %s with apiURL %s", (kind, url, apiURL, want) => {
  expect(hostAddress(kind, url, apiURL)).toEqual(want);
});

test.each<[HostKind, string, string | undefined, RegExp]>([
  ["github", "git@github.com:team/app.git", undefined, /spec\.url is not an http/],
  ["github", "https://github.com/team", undefined, /names no owner and repository/],
  ["github", "https://github.com/", undefined, /names no owner and repository/],
  ["github", "https://github.com/a/b/c", undefined, /more than an owner and a repository/],
  ["github", "https://ghe.example.com/team/app", undefined, /set spec\.host\.apiURL.*https:\/\/ghe\.example\.com\/api\/v3/],
  ["github", "https://github.com.evil.example/team/app", undefined, /not on github\.com/],
  ["gitea", "https://host/team/%zz", undefined, /broken %/],
  ["gitea", "https://host/team/a%2Fb", undefined, /cannot be the name/],
  ["gitea", "https://host/team/app", "gitea.internal", /spec\.host\.apiURL is not an http/],
  ["gitea", "https://host/team/app", "ftp://gitea.internal", /spec\.host\.apiURL is not an http/],
])("%s %s with apiURL %s cannot be read", (kind, url, apiURL, message) => {
  const read = () => hostAddress(kind, url, apiURL);
  expect(read).toThrow(StalledError);
  expect(read).toThrow(message);
});

test("credentials in an address are refused and not repeated", () => {
  const silent = expect.objectContaining({ message: expect.not.stringContaining("s3cret") });
  expect(() => hostAddress("gitea", "https://ada:s3cret@host/team/app")).toThrow(silent);
  expect(() => hostAddress("gitea", "https://host/team?token=s3cret")).toThrow(silent);
});
