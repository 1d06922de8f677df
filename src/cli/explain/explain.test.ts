import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aCanary } from "../../../test/builders.ts";
import { type CanaryStatus, canary as canaryKind } from "../../api/canary.ts";
import { crdOf } from "../../api/crd.ts";
import type { ShareStatus } from "../../api/share-evidence.ts";
import { createKube, type KubeClient } from "../../kube/client.ts";
import { serverAt } from "../../kube/kubeconfig.ts";
import { startApiServer } from "../../sandbox/api-server/api-server.ts";
import { explainCommand } from "./explain.ts";
import { explanationOf } from "./explanation.ts";

const byShare = { analysis: { metrics: undefined, stepWeight: undefined, maxWeight: undefined } };
const evidence: ShareStatus = {
  acts: true,
  verdict: "fail",
  reason: "EvidenceAgainst",
  message: "Of the 88 failed requests in this step 86 came from the canary, which got only 20 % of the traffic",
  evidence: 61_000,
  peak: 61_000,
  limit: 20,
  dispersion: 1.25,
  dispersionMeasured: false,
  baseline: 0.11,
  baselineOf: { requests: 36_000, bad: 40 },
  visible: 1.9,
  needed: [{ times: 2 }, { times: 5, requests: 4_210, seconds: 211 }, { times: 10, requests: 870, seconds: 44 }],
  steps: [
    { weight: 5, from: "2026-11-21T02:58:00Z", canary: { requests: 75, bad: 0 }, stable: { requests: 1_425, bad: 2 }, evidence: 0.41 },
    { weight: 20, from: "2026-11-21T02:59:00Z", canary: { requests: 300, bad: 86 }, stable: { requests: 1_200, bad: 2 }, evidence: 61_000 },
  ],
  source: "contour",
  readAt: "2026-11-21T02:59:31Z",
  nextReadAt: "2026-11-21T02:59:46.000Z",
  state: "{}",
};
const failed: CanaryStatus = {
  phase: "Failed",
  canaryWeight: 0,
  trackedRevision: "v1-0a1b2c3d4e",
  trackedCommit: "3f2a91c".padEnd(40, "0"),
  promotedRevision: "v1-9f8e7d6c5b",
  failure: { reason: "EvidenceAgainst", message: evidence.message, failedAt: "2026-11-21T02:59:31Z", weight: 20, propose: true },
  evidence,
};

describe("what serin explain says", () => {
  test("of a release that was rolled back: each step, the evidence, and what could not have been seen", () => {
    expect(explanationOf(aCanary(byShare, failed))).toBe(`Canary shop/checkout: Failed (EvidenceAgainst), rolled back from 20 % at 2026-11-21T02:59:31Z; the failed revision stays out until the target changes
Analysed: v1-0a1b2c3d4e of commit 3f2a91c
Promoted: v1-9f8e7d6c5b
Judged by share, adaptive steps.

Of the 88 failed requests in this step 86 came from the canary, which got only 20 % of the traffic.

  weight  from                  canary's requests  primary's       evidence
  5 %     2026-11-21T02:58:00Z  75, 0 failed       1425, 2 failed  0.41
  20 %    2026-11-21T02:59:00Z  300, 86 failed     1200, 2 failed  61000
Evidence ▃█, highest 61000; at 20 a release is rolled back.

An error rate of 1.9 % or more could have been seen, and nothing less.
The primary's was about 0.11 %, by 36000 requests. A release that fails
  2 times as often, 0.22 %:  would never have been found, that is within what is tolerated
  5 times as often, 0.55 %:  would have been found after 4210 canary requests, 4 min at the traffic it had
  10 times as often, 1.1 %:  would have been found after 870 canary requests, 44 s at the traffic it had
Errors were taken to come in clumps of 1.25: the primary's pods could not be told apart.
Requests were counted by contour.
`);
  });

  const running: CanaryStatus = { phase: "Progressing", canaryWeight: 20, trackedRevision: "v1-0a1b2c3d4e" };
  const needed = { reason: "NotEnoughEvidence", message: "More requests are needed: with 375 canary requests" };
  const undecided: ShareStatus = { ...evidence, verdict: "inconclusive", ...needed, evidence: 0.41, peak: 0.41 };

  test("of a release under way, in the present", () => {
    const text = explanationOf(aCanary(byShare, { ...running, evidence: undecided }));
    expect(text).toMatch(/^Canary shop\/checkout: Progressing, 20 % of the traffic; the metrics are read again at 2026-11-21T02:59:46Z\n/);
    expect(text).toContain("\nMore requests are needed: with 375 canary requests.\n");
    expect(text).toContain(`
So far an error rate of 1.9 % or more could have been seen, and nothing less.
The primary's is about 0.11 %, by 36000 requests. A release that fails
  2 times as often, 0.22 %:  is never found, that is within what is tolerated
  5 times as often, 0.55 %:  is found after 4210 canary requests, 4 min at its traffic of now
`);
    expect(text).toContain("Errors are taken to come in clumps of 1.25: the primary's pods cannot be told apart.\n");
    expect(text).toContain("\nRequests are counted by contour.\n");
  });

  test.each<CanaryStatus["phase"]>(["Finalising", "Succeeded", "Failed"])("and in the past when it is over: %s", (phase) => {
    const text = explanationOf(aCanary(byShare, { ...failed, phase, evidence: undecided }));
    expect(text).not.toMatch(/So far|of now|is found|is never|are counted|are taken|cannot/);
    expect(text).toContain("\nWhen it ended: more requests are needed: with 375 canary requests.\n");
    const same = { failure: { ...failed.failure!, message: undecided.message } };
    expect(explanationOf(aCanary(byShare, { ...failed, ...same, phase, evidence: undecided }))).not.toContain("When it ended");
    const shadow = explanationOf(aCanary(byShare, { ...failed, phase, evidence: { ...undecided, acts: false } }));
    expect(shadow).toContain("; with method share it would have been rolled back at 20.\n");
  });

  test.each<[string, Partial<ShareStatus>, string]>([
    ["the primary failed nothing", { baselineOf: { requests: 5_400, bad: 0 } }, "The primary failed none of 5400 requests.\nErrors"],
    ["nothing is known of the primary", { baselineOf: { requests: 0, bad: 0 } }, "Of the primary's requests nothing was known: as the SLO allows, 0.11 % were taken to fail."],
    ["an earlier version did not say", { baselineOf: undefined }, "The primary's was about 0.11 %."],
    ["the canary had none", { visible: undefined, steps: [] }, "Nothing could have been seen: the canary had no request.\nThe primary's"],
    ["time is long", { needed: [{ times: 2, requests: 9_000, seconds: 7_200 }] }, "found after 9000 canary requests, 2 h at the traffic it had"],
    ["it would fail no more than always", { baseline: 30 }, "\n  5 times as often, 100 %:   would have"],
    ["only total failure could have been seen", { visible: undefined }, "Only a release that fails nearly always could have been seen.\nThe primary's was about 0.11 %"],
    ["they have more digits than they are worth", { visible: 1.9234, baseline: 0.1096 }, "An error rate of 1.9 % or more could have been seen, and nothing less.\nThe primary's was about 0.11 %"],
  ])("what its figures rest on where %s", (_, more, want) => {
    expect(explanationOf(aCanary(byShare, { ...failed, evidence: { ...evidence, ...more } }))).toContain(want);
  });

  test("of a release that is only slower: slow requests, and nothing of errors", () => {
    const message = "Of the 480 requests slower than 250 ms since the warm-up 160 came from the canary, which got only 10 % of the traffic";
    const [first, last] = evidence.steps.map((step) => ({ ...step, canary: { ...step.canary, bad: 0 } }));
    const slow = { canary: { requests: 600, bad: 160 }, stable: { requests: 5_400, bad: 320 } };
    const steps = [first!, { ...last!, slow }];
    const slower: ShareStatus = { ...evidence, message, against: "latency", slowerThanMilliseconds: 250, steps };
    const text = explanationOf(aCanary(byShare, { ...failed, failure: { ...failed.failure!, message }, evidence: slower }));
    expect(text.slice(text.indexOf("\n\n") + 2)).toBe(`${message}.

  weight  from                  canary's requests  primary's       canary's slow  primary's slow  evidence
  5 %     2026-11-21T02:58:00Z  75, 0 failed       1425, 2 failed  –              –               0.41
  20 %    2026-11-21T02:59:00Z  300, 0 failed      1200, 2 failed  160 of 600     320 of 5400     61000
Slow are requests that took longer than 250 ms, counted once the warm-up is over.
Evidence ▃█, highest 61000; at 20 a release is rolled back.

Slow were 27 % of the canary's 600 requests and 5.9 % of the primary's 5400.
Slow requests were taken to come in clumps of 1.25.
Requests were counted by contour.
`);
  });

  test("of thresholds: the checks, and what the shares would have said", () => {
    const checks: CanaryStatus["checks"] = [{ name: "up", verdict: "pass", value: 1, message: "up is 1, within the minimum 1" }];
    const text = explanationOf(aCanary({}, { phase: "Progressing", canaryWeight: 20, checks, evidence: { ...evidence, acts: false } }));
    expect(text).toContain("Canary shop/checkout: Progressing, 20 % of the traffic; checked every 1m\nJudged by threshold, fixed steps.\n");
    expect(text).toContain("Method share would have rolled it back.\n");
    expect(text).toContain("Checks:\n  pass         up is 1, within the minimum 1\n");
    expect(text).toContain("; with method share it would be rolled back at 20.\n");
    expect(explanationOf(aCanary({}, { phase: "Succeeded", checks }))).not.toContain("Nothing was measured");
  });

  const ready = (reason: string, message: string, status: "True" | "Unknown" = "Unknown"): Pick<CanaryStatus, "conditions"> => ({
    conditions: [{ type: "Ready", status, reason, message, lastTransitionTime: "2026-11-21T02:59:31Z" }],
  });

  test.each<[string, object, CanaryStatus, string]>([
    ["a release that waits for something", {}, { ...running, evidence: undecided, ...ready("NoTraffic", "the canary gets no requests") }, "Progressing, 20 % of the traffic; waits: the canary gets no requests"],
    ["one whose sentence is the reason", {}, { ...running, evidence: undecided, ...ready("NoTraffic", undecided.message) }, "Progressing, 20 % of the traffic; waits: more requests are needed: with 375 canary requests"],
    ["one that has no traffic yet", {}, { phase: "Progressing", canaryWeight: 0, ...ready("Progressing", "the new revision is analysed") }, "Progressing; gets traffic when its pods are ready"],
    ["one whose traffic was taken away", {}, { phase: "Progressing", canaryWeight: 0, evidence: undecided }, "Progressing; gets traffic when its pods are ready"],
    ["one that a hook holds", {}, { phase: "WaitingPromotion", canaryWeight: 50 }, "WaitingPromotion, 50 % of the traffic; a confirm-promotion hook has to agree"],
    ["one that a hook does not let begin", {}, { phase: "Waiting" }, "Waiting; a confirm-rollout hook has to agree"],
    ["one of which the hook is known", {}, { phase: "Waiting", ...ready("Waiting", "hook gate has not agreed") }, "Waiting; waits: hook gate has not agreed"],
    ["one that is promoted", {}, { phase: "Promoting", canaryWeight: 50 }, "Promoting, 50 % of the traffic; the primary gets what was analysed"],
    ["one that ends", {}, { phase: "Finalising" }, "Finalising; the primary has all traffic, the canary's pods go"],
    ["a Canary at rest", {}, { phase: "Succeeded", ...ready("PromotionCompleted", "the new revision has all traffic", "True") }, "Succeeded; at rest until the target changes"],
    ["one that is not Ready at rest", {}, { phase: "Initialized", ...ready("TargetMissing", "Deployment shop/checkout is not there") }, "Initialized; waits: Deployment shop/checkout is not there"],
    ["one that goes", {}, { phase: "Terminating" }, "Terminating; the target gets its pods and traffic back"],
    ["one that is suspended", { suspend: true }, running, "Progressing, 20 % of the traffic; suspended: nothing moves until spec.suspend is false"],
    ["a failure that a Revert holds back", {}, { ...failed, ...ready("EvidenceAgainst", "it failed"), revertRef: "checkout-5e6f" }, "Failed (EvidenceAgainst), rolled back from 20 % at 2026-11-21T02:59:31Z; Revert checkout-5e6f holds it back until that is decided"],
    ["a failure that may not be the commit's fault", {}, { ...failed, failure: { ...failed.failure!, propose: false }, revertRef: "checkout-5e6f" }, "Failed (EvidenceAgainst), rolled back from 20 % at 2026-11-21T02:59:31Z; Revert checkout-5e6f holds it back, nothing is proposed"],
    ["a failure with nothing to go back to", {}, { ...failed, canaryWeight: 20 }, "Failed (EvidenceAgainst) at 2026-11-21T02:59:31Z, with 20 % of the traffic still: no pod of the primary serves; the failed revision stays out until the target changes"],
  ])("first, how it is and what comes next: %s", (_, spec, status, want) => {
    expect(explanationOf(aCanary({ ...byShare, ...spec }, status)).split("\n")[0]).toBe(`Canary shop/checkout: ${want}`);
  });

  test("where what failed stands in Git, and what would be held if it came back", () => {
    const entry = (revert: string) => ({ revert, fields: [], revision: "v1-0a1b2c3d4e" });
    const refused = [entry("checkout-1a2b"), { ...entry("checkout-3c4d"), declined: true }, entry("checkout-5e6f")];
    const status = { ...failed, revertRef: "checkout-5e6f", refused };
    expect(explanationOf(aCanary(byShare, status))).toContain(`Promoted: v1-9f8e7d6c5b
Revert:   checkout-5e6f; kubectl -n shop get revert checkout-5e6f shows its pull request
Refused:  v1-0a1b2c3d4e, which failed: held when a commit brings it back (Revert checkout-1a2b)
Judged by share`);
    const none = aCanary({ ...byShare, revert: { strategy: "None" } }, status);
    expect(explanationOf(none)).toContain("get revert checkout-5e6f shows how it stands\n");
    const innocent = { ...status, failure: { ...failed.failure!, propose: false } };
    expect(explanationOf(aCanary(byShare, innocent))).toContain("get revert checkout-5e6f shows how it stands; it may not be the commit's fault, so nothing is proposed\n");
    const missing = { reason: "SyncMissing", message: "no Sync applies Deployment checkout" };
    const impossible = { type: "RevertNotPossible", status: "True", ...missing, lastTransitionTime: "2026-11-21T02:59:31Z" } as const;
    expect(explanationOf(aCanary(byShare, { ...failed, conditions: [impossible] }))).toContain("\nRevert:   not possible: no Sync applies Deployment checkout\n");
  });

  test("of a Canary that has not run", () => {
    expect(explanationOf(aCanary(byShare))).toBe(
      "Canary shop/checkout: Initializing; the primary is made from the target\nJudged by share, adaptive steps.\n\nNothing was measured of this revision yet.\n",
    );
  });
});

describe("the command", () => {
  const life = new AbortController();
  let api: Awaited<ReturnType<typeof startApiServer>>;
  let kube: KubeClient;

  beforeAll(async () => {
    api = await startApiServer();
    kube = createKube(serverAt(api.url));
    await kube.apply(crdOf(canaryKind), { fieldManager: "test" }, life.signal);
    await kube.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } }, { fieldManager: "test" }, life.signal);
    const { apiVersion, kind, spec } = aCanary();
    const stored = { apiVersion, kind, metadata: { name: "checkout", namespace: "shop" } };
    await kube.apply({ ...stored, spec }, { fieldManager: "test" }, life.signal);
    const ref = { apiVersion, kind, namespace: "shop", name: "checkout" };
    await kube.patch(ref, { status: failed }, { fieldManager: "test", subresource: "status" }, life.signal);
  });
  afterAll(async () => {
    life.abort(new Error("the tests are over"));
    await kube.close();
    await api.close();
  });

  interface Asked {
    readonly subject: string;
    readonly namespace?: string;
    readonly code: number;
    readonly output: RegExp;
    readonly notes: RegExp;
  }

  const explained = /^Canary shop\/checkout: Failed \(EvidenceAgainst\)/;
  const missing = /^serin: there is no Canary default\/checkout; --namespace says/;
  const misused = /^serin: "revert\/checkout" cannot be explained; write canary\/NAME$/m;

  test.each<[string, Asked]>([
    ["explains the live object", { subject: "canary/checkout", namespace: "shop", code: 0, output: explained, notes: /^$/ }],
    ["says where it looked", { subject: "canary/checkout", code: 1, output: /^$/, notes: missing }],
    ["explains nothing else", { subject: "revert/checkout", namespace: "shop", code: 2, output: /^$/, notes: misused }],
  ])("%s", async (_, { subject, namespace, code, output, notes }) => {
    const said = { output: "", notes: "" };
    const writer = (to: keyof typeof said) => ({ write: (text: string) => (said[to] += text) });
    const command = { subject, namespace, connection: serverAt(api.url), output: writer("output"), notes: writer("notes") };
    expect(await explainCommand(command, life.signal)).toBe(code);
    expect(said.output).toMatch(output);
    expect(said.notes).toMatch(notes);
  });
});
