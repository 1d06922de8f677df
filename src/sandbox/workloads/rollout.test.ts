import { describe, expect, test } from "vitest";
import type { Deployment, ReplicaSet } from "../kinds.ts";
import { deployment, replicaSet } from "../kinds.ts";
import type { Rollout } from "./rollout.ts";
import { margins, rollingNewSize, rollingOldSizes, scaledSizes } from "./rollout.ts";

const template = { metadata: { labels: { app: "a" } }, spec: { containers: [{ name: "app" }] } };

function aDeployment(
  replicas: number,
  maxSurge: number | string = "25%",
  maxUnavailable: number | string = "25%",
  type = "RollingUpdate",
): Deployment {
  const strategy = { type, rollingUpdate: { maxSurge, maxUnavailable } };
  return deployment.parse({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "a" },
    spec: { replicas, strategy, selector: {}, template },
  });
}

function aSet(name: string, replicas: number, available = replicas, annotations: Record<string, string> = {}): ReplicaSet {
  const metadata = { name, annotations, creationTimestamp: "2026-01-01T00:00:00Z" };
  return replicaSet.parse({
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata,
    spec: { replicas, selector: {}, template },
    status: { replicas, availableReplicas: available },
  });
}

describe("margins", () => {
  test.each<[string, Deployment, { surge: number; unavailable: number }]>([
    ["percent rounds surge up and unavailable down", aDeployment(3), { surge: 1, unavailable: 0 }],
    ["numbers are taken as they are", aDeployment(10, 2, 3), { surge: 2, unavailable: 3 }],
    ["neither would never move, so one may be missing", aDeployment(4, 0, 0), { surge: 0, unavailable: 1 }],
    ["no more can be missing than there are", aDeployment(2, 0, 5), { surge: 0, unavailable: 2 }],
    ["Recreate has none", aDeployment(4, "25%", "25%", "Recreate"), { surge: 0, unavailable: 0 }],
  ])("%s", (_, given, want) => expect(margins(given)).toEqual(want));
});

describe("the new set in a rolling update", () => {
  test.each<[string, number, ReplicaSet[], number]>([
    ["starts with the surge", 0, [aSet("old", 4)], 1],
    ["grows as the old shrink", 2, [aSet("old", 2)], 3],
    ["stays while there is no room", 1, [aSet("old", 4)], 1],
    ["is made whole when there is no other", 0, [], 4],
    ["never outgrows the Deployment", 4, [aSet("old", 0)], 4],
  ])("%s", (_, now, oldSets, want) => {
    expect(rollingNewSize({ deployment: aDeployment(4, 1, 0), newSet: aSet("new", now), oldSets })).toBe(want);
  });
});

describe("old sets in a rolling update", () => {
  test.each<[string, Rollout, [string, number][]]>([
    ["wait until the new pods serve", { deployment: aDeployment(4, 1, 0), newSet: aSet("new", 1, 0), oldSets: [aSet("old", 4)] }, []],
    ["give one for each that serves", { deployment: aDeployment(4, 1, 0), newSet: aSet("new", 1, 1), oldSets: [aSet("old", 4)] }, [["old", 3]]],
    ["give at once what may be missing", { deployment: aDeployment(4, 0, 2), newSet: aSet("new", 0, 0), oldSets: [aSet("old", 4)] }, [["old", 2]]],
    ["give broken pods first", { deployment: aDeployment(4, 1, 1), newSet: aSet("new", 1, 0), oldSets: [aSet("bad", 2, 0), aSet("old", 3, 3)] }, [["bad", 0]]],
    ["are emptied oldest first", { deployment: aDeployment(4, 1, 0), newSet: aSet("new", 4, 4), oldSets: [aSet("older", 1), aSet("old", 1)] }, [["older", 0], ["old", 0]]],
  ])("%s", (_, rollout, want) => {
    expect([...rollingOldSizes(rollout)]).toEqual(want);
  });
});

describe("scaling", () => {
  const notes = { "deployment.kubernetes.io/max-replicas": "12", "deployment.kubernetes.io/desired-replicas": "10" };
  test.each<[string, Rollout, [string, number][]]>([
    ["a single set takes it all", { deployment: aDeployment(7), newSet: aSet("new", 3), oldSets: [aSet("old", 0)] }, [["new", 7]]],
    ["to zero", { deployment: aDeployment(0), newSet: aSet("new", 3), oldSets: [] }, [["new", 0]]],
    ["mid-rollout both sides grow in proportion", { deployment: aDeployment(20, "20%", 0), newSet: aSet("new", 4, 4, notes), oldSets: [aSet("old", 8, 8, notes)] }, [["old", 16], ["new", 8]]],
    ["mid-rollout both sides shrink to nothing", { deployment: aDeployment(0, "20%", 0), newSet: aSet("new", 4, 4, notes), oldSets: [aSet("old", 8, 8, notes)] }, [["old", 0], ["new", 0]]],
  ])("%s", (_, rollout, want) => {
    expect([...scaledSizes(rollout)]).toEqual(want);
  });
});
