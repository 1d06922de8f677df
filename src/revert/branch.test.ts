import { expect, test } from "vitest";
import { branchName, commitMessage, isSerinCommit, parseBranchName, parseTrailers, type Trailers } from "./branch.ts";

const trailers: Trailers = {
  cluster: "prod-eu",
  clusterUid: "0f6c",
  sync: "shop/apps",
  canary: "shop/checkout",
  reverts: ["3".repeat(40), "2".repeat(40)],
  scope: "Canary",
  revert: "checkout-6d1f0a2",
};

test("rule 6: the branch's name says whose it is, and is read back", () => {
  const name = { cluster: "prod-eu", namespace: "shop", canary: "checkout", id: "6d1f0a2" };
  expect(branchName(name)).toBe("serin/revert/prod-eu/shop/checkout/6d1f0a2");
  expect(parseBranchName(branchName(name))).toEqual(name);
  expect(parseBranchName("serin/revert/prod-eu/shop/checkout")).toBeUndefined();
});

test("rule 6: the message carries its trailers, and they are read back", () => {
  const message = commitMessage(trailers, ["Ship 3", "Prepare 3"], undefined);
  expect(message.split("\n")[0]).toBe('Revert "Ship 3" and 1 more');
  expect(parseTrailers(message)).toEqual(trailers);
  expect(commitMessage(trailers, ["Ship 3", "Prepare 3"], undefined)).toBe(message);
});

test.each<[string, string, string[], boolean]>([
  ["its own revert", commitMessage(trailers, ["Ship 3"], undefined), [], true],
  ["the host's merge of it", "Merge pull request #7 from acme/serin/revert/prod-eu/shop/checkout/6d1f0a2", [], true],
  ["a merge whose second parent it made", "Merge it all", [commitMessage(trailers, ["Ship 3"], undefined)], true],
  ["a person's commit", "Ship checkout 3", [], false],
])("rule 9: never reverts what Serin made: %s", (...[, message, merged, want]) => {
  expect(isSerinCommit(message, merged)).toBe(want);
});
