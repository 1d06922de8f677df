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
  visible: 1.9,
  needed: [{ times: 2 }, { times: 5, requests: 4_210, seconds: 211 }, { times: 10, requests: 870, seconds: 44 }],
  steps: [
    { weight: 5, from: "2026-11-21T02:58:00Z", canary: { requests: 75, bad: 0 }, stable: { requests: 1_425, bad: 2 }, evidence: 0.41 },
    { weight: 20, from: "2026-11-21T02:59:00Z", canary: { requests: 300, bad: 86 }, stable: { requests: 1_200, bad: 2 }, evidence: 61_000 },
  ],
  source: "contour",
  readAt: "2026-11-21T02:59:31Z",
  nextReadAt: "2026-11-21T02:59:46Z",
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
    expect(explanationOf(aCanary(byShare, failed))).toBe(`Canary shop/checkout: Failed (EvidenceAgainst), rolled back from 20 % at 2026-11-21T02:59:31Z
Analysed: v1-0a1b2c3d4e of commit 3f2a91c
Promoted: v1-9f8e7d6c5b
Judged by share, adaptive steps.

Of the 88 failed requests in this step 86 came from the canary, which got only 20 % of the traffic.

  weight  from                  canary's requests  primary's       evidence
  5 %     2026-11-21T02:58:00Z  75, 0 failed       1425, 2 failed  0.41
  20 %    2026-11-21T02:59:00Z  300, 86 failed     1200, 2 failed  61000
Evidence ▃█, 61000 at most; at 20 a release is rolled back.

So far an error rate of 1.9 % or more could have been seen, and nothing less; the primary's is 0.11 %.
  2 times the primary's:  never found, it is within what is tolerated
  5 times the primary's:  4210 canary requests, 4 min at its traffic of now
  10 times the primary's: 870 canary requests, 44 s at its traffic of now
Errors are taken to come in clumps of 1.25: the primary's pods cannot be told apart.
Requests are counted by contour.
`);
  });

  test("of thresholds: the checks, and what the shares would have said", () => {
    const checks: CanaryStatus["checks"] = [{ name: "up", verdict: "pass", value: 1, message: "up is 1, within the minimum 1" }];
    const text = explanationOf(aCanary({}, { phase: "Progressing", canaryWeight: 20, checks, evidence: { ...evidence, acts: false } }));
    expect(text).toContain("Canary shop/checkout: Progressing, 20 % of the traffic\nJudged by threshold, fixed steps.\n");
    expect(text).toContain("Method share would have rolled it back.\n");
    expect(text).toContain("Checks:\n  pass         up is 1, within the minimum 1\n");
    expect(text).toContain("; with method share it would be rolled back at 20.\n");
  });

  test("where what failed stands in Git, and what would be held if it came back", () => {
    const entry = (revert: string) => ({ revert, fields: [], revision: "v1-0a1b2c3d4e" });
    const refused = [entry("checkout-1a2b"), { ...entry("checkout-3c4d"), declined: true }, entry("checkout-5e6f")];
    expect(explanationOf(aCanary(byShare, { ...failed, revertRef: "checkout-5e6f", refused }))).toContain(`Promoted: v1-9f8e7d6c5b
Revert:   checkout-5e6f; kubectl -n shop get revert checkout-5e6f shows its pull request
Refused:  v1-0a1b2c3d4e, which failed: held when a commit brings it back (Revert checkout-1a2b)
Judged by share`);
  });

  test("of a Canary that has not run", () => {
    expect(explanationOf(aCanary(byShare))).toBe(
      "Canary shop/checkout: Initializing\nJudged by share, adaptive steps.\n\nNothing was measured of this revision yet.\n",
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
