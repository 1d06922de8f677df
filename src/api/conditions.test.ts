import { expect, test } from "vitest";
import { findCondition, nextConditions, type Outcome } from "./conditions.ts";

const done: Outcome = { ready: "True", reason: "Succeeded", message: "All is well", state: "done" };
const stalled: Outcome = { ready: "False", reason: "BadField", message: "spec.url is wrong", state: "stalled" };

test("the same outcome later changes nothing", () => {
  const first = nextConditions(undefined, done, { generation: 1, nowMs: 0 });
  expect(nextConditions(first, done, { generation: 1, nowMs: 60_000 })).toEqual(first);
});

test("Stalled is there only while True, and Ready keeps the time of its last change", () => {
  const first = nextConditions(undefined, done, { generation: 1, nowMs: 0 });
  const second = nextConditions(first, stalled, { generation: 2, nowMs: 60_000 });
  expect(second.map(({ type, status }) => `${type}=${status}`)).toEqual(["Ready=False", "Stalled=True"]);
  expect(findCondition(second, "Ready")?.lastTransitionTime).toBe("1970-01-01T00:01:00Z");
  expect(nextConditions(second, done, { generation: 2, nowMs: 120_000 }).map(({ type }) => type)).toEqual(["Ready"]);
});

test("conditions of other types are kept", () => {
  const other = {
    type: "ServiceAdopted",
    status: "True" as const,
    reason: "Adopted",
    message: "",
    lastTransitionTime: "2026-01-01T00:00:00Z",
  };
  expect(findCondition(nextConditions([other], done, { generation: 1, nowMs: 0 }), "ServiceAdopted")).toEqual(other);
});
