import { describe, expect, test } from "vitest";
import type { CauseField } from "../api/cause.ts";
import { culprits, disagreeing, standingOf } from "./culprits.ts";

const image: CauseField = {
  object: "Deployment/shop",
  path: "spec.template.spec.containers[app].image",
  promoted: "shop:2",
  failed: "shop:3",
  decides: true,
};
const grace: CauseField = {
  object: "Deployment/shop",
  path: "spec.template.spec.terminationGracePeriodSeconds",
  promoted: 60,
  failed: 30,
  decides: true,
};
/** Digests were made with a key that is gone: nobody can say whether they agree. */
const secret: CauseField = { object: "Secret/shop", path: "data.token", secret: true, decides: true };
const stage = (commit: string, ...values: unknown[]) => ({ commit, values });

describe("rule 4: which commits", () => {
  test.each<[string, ReturnType<typeof stage>[], string[], string[]]>([
    [
      "the commit that changed the image, not those around it",
      [stage("e", "shop:3"), stage("d", "shop:3"), stage("c", "shop:2.5"), stage("b", "shop:2.5"), stage("a", "shop:2")],
      ["d", "b"],
      ["e", "c"],
    ],
    ["every commit on the way to the failed value", [stage("c", "shop:3"), stage("b", "shop:2.5"), stage("a", "shop:2")], ["c", "b"], []],
    ["none when nothing changed", [stage("b", "shop:2"), stage("a", "shop:2")], [], ["b"]],
    [
      "an earlier failure and its revert are history",
      [stage("e", "shop:4"), stage("d", "shop:2"), stage("c", "shop:2"), stage("b", "shop:3"), stage("a", "shop:2")],
      ["e"],
      [],
    ],
    ["a commit that removed the field", [stage("b", undefined), stage("a", "shop:2")], ["b"], []],
  ])("%s", (_, stages, commits, bystanders) => {
    expect(culprits(stages)).toEqual({ commits, bystanders });
  });
});

describe("rule 3: from Git or not", () => {
  test.each<[string, CauseField, unknown, "promoted" | "failed", boolean]>([
    ["the commit says what ran", image, "shop:3", "failed", false],
    ["the image was set by hand", image, "shop:2", "failed", true],
    ["the image is not in Git at all", image, undefined, "failed", true],
    ["a default that the API server filled in is nobody's hand", grace, undefined, "failed", false],
    ["another value than the one that ran", grace, 45, "failed", true],
    ["a Secret's value that nobody can compare", secret, "aHVudGVyMg==", "failed", false],
  ])("%s", (...[, field, value, which, wrong]) => {
    expect(disagreeing([field], [value], which)).toEqual(wrong ? [field] : []);
  });
});

describe("rule 7: what HEAD says", () => {
  test.each<[string, unknown[], string]>([
    ["all promoted", ["shop:2", 60], "promoted"],
    ["some failed", ["shop:3", 60], "failed"],
    ["any third value is a fix", ["shop:4", 60], "third"],
    ["a removed object is a third value", [undefined, undefined], "third"],
  ])("%s", (_, values, want) => {
    expect(standingOf([image, grace], values)).toBe(want);
  });
});
