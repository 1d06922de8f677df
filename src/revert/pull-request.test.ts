import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { impactOf } from "./impact.ts";
import { type Proposal, pullRequestBody, pullRequestTitle } from "./pull-request.ts";

const proposal: Proposal = {
  cluster: "prod-eu",
  canary: "shop/checkout",
  sync: "shop/apps",
  revert: "checkout-6d1f0a2",
  cause: [
    {
      object: "Deployment/checkout",
      path: "spec.template.spec.containers[app].image",
      promoted: "shop:2",
      failed: "shop:3",
      decides: true,
    },
    { object: "Secret/db", path: "data.password", secret: true, decides: false },
  ],
  evidence: {
    sentence: "request-success-rate is 71.2 %, below the minimum 99 %",
    reason: "CheckFailed",
    failedAt: "2026-11-21T03:00:00Z",
    weight: 20,
    revision: "v1-0a1b2c3d4e",
    checks: [
      { name: "request-success-rate", value: 71.2345, primary: 98.99987, min: 99, unit: "%", passed: false, primaryPassed: false },
      { name: "request-duration", value: 1234.5678, primary: 20.00049, max: 500, unit: "ms", passed: false, primaryPassed: true },
      { name: "queue", value: 0.000123456, min: 0.1, max: 3, passed: false },
    ],
    share: {
      acts: true,
      peak: 61_000,
      limit: 20,
      steps: [
        { weight: 5, from: "2026-11-21T02:58:00Z", canary: { requests: 75, bad: 0 }, stable: { requests: 1_425, bad: 2 }, evidence: 0.41 },
        {
          weight: 20,
          from: "2026-11-21T02:59:00Z",
          canary: { requests: 300, bad: 86 },
          stable: { requests: 1_200, bad: 1 },
          evidence: 61_000,
        },
      ],
    },
  },
  commits: [{ oid: "3f2a91c".padEnd(40, "0"), subject: "Ship <checkout> 3 for @everyone", author: "Ada", time: "2026-11-21T02:50:00Z" }],
  bystanders: [{ oid: "77aa00b".padEnd(40, "0"), subject: "Tune cart", author: "Bob", time: "2026-11-21T02:55:00Z" }],
  undone: ["apps/checkout.yaml (hunk 1 of 2)"],
  stays: ["apps/cart.yaml"],
  impacts: [],
  canaryChanges: [],
};

const golden = (name: string) => resolve(import.meta.dirname, "../../test/golden", name);

describe("what a pull request says", () => {
  test("when merging changes nothing", async () => {
    expect(pullRequestTitle(proposal)).toBe('Revert "Ship <checkout> 3 for @everyone": checkout failed its canary');
    await expect(pullRequestBody(proposal)).toMatchFileSnapshot(golden("pull-request.md"));
  });

  test("when merging moves other objects, deletions first, and the Canary changed", async () => {
    const object = (kind: string, name: string, data: Record<string, string>) => ({
      apiVersion: "v1",
      kind,
      metadata: { name, namespace: "shop" },
      data,
    });
    const now = [
      object("ConfigMap", "flags", { beta: "on" }),
      object("Secret", "db", { password: "hunter2" }),
      object("ConfigMap", "old", {}),
    ];
    const merged = [
      object("ConfigMap", "flags", { beta: "off" }),
      object("Secret", "db", { password: "hunter3" }),
      object("ConfigMap", "new", {}),
    ];
    const body = pullRequestBody({
      ...proposal,
      impacts: [impactOf("shop/apps", now, merged)],
      canaryChanges: ["spec.analysis.threshold"],
    });
    expect(body).not.toContain("hunter");
    await expect(body).toMatchFileSnapshot(golden("pull-request-moves.md"));
  });

  test("without evidence it says nothing of what failed", () => {
    const body = pullRequestBody({ ...proposal, evidence: undefined });
    expect(body).not.toMatch(/### What failed|### Step by step|undefined/);
    expect(body).toContain("### The cause");
  });

  test("of a release that is only slower, each step's slow requests", async () => {
    const { share, ...evidence } = proposal.evidence!;
    const [first, last] = share!.steps.map((step) => ({ ...step, canary: { ...step.canary, bad: 0 } }));
    const slow = { canary: { requests: 600, bad: 160 }, stable: { requests: 5_400, bad: 320 } };
    const steps = [{ ...first!, peak: 7.5 }, { ...last!, slow }];
    const slower = { ...share!, against: "latency", slowerThanMilliseconds: 250, steps } as const;
    const body = pullRequestBody({ ...proposal, evidence: { ...evidence, checks: [], share: slower } });
    await expect(body).toMatchFileSnapshot(golden("pull-request-slower.md"));
  });

  test("where thresholds decided, what shares would have done", () => {
    const { evidence } = proposal;
    const body = pullRequestBody({ ...proposal, evidence: { ...evidence!, share: { ...evidence!.share!, acts: false } } });
    expect(body).toContain("; with method share it would have been rolled back at 20.");
  });

  test("text from a commit cannot become markup or a mention", () => {
    const body = pullRequestBody({ ...proposal, commits: [{ ...proposal.commits[0]!, subject: "<img src=x> @team `code` [link](http://x)" }] });
    expect(body).not.toMatch(/<img|@team|\[link\]\(/);
  });
});
