import { describe, expect, test } from "vitest";
import { aCanary, aDeployment, type CanaryInput } from "../../test/builders.ts";
import type { CanaryStatus } from "../api/canary.ts";
import type { KubeObject } from "../api/object.ts";
import { keyedDigest } from "../lib/digest.ts";
import { configsOf } from "./configs.ts";
import { type Revision, revisionOf } from "./revision.ts";
import { type Live, workloads } from "./workloads.ts";

const nowMs = Date.parse("2026-11-21T12:00:00Z");
const longAgo = "2026-11-21T11:00:00.000Z";
const settings: KubeObject = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "settings", namespace: "shop" },
  data: { theme: "dark" },
  binaryData: { logo: "AAEC" },
};
const password = (value: string, name = "db"): KubeObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace: "shop" },
  type: "Opaque",
  data: { password: value },
});
const untracked: KubeObject = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "flags", namespace: "shop", annotations: { "serin.dev/config-tracking": "disabled" } },
  data: { a: "1" },
};

const template = {
  metadata: { labels: { app: "checkout", team: "pay" }, annotations: { note: "kept" } },
  spec: {
    initContainers: [{ name: "migrate", image: "shop:1", envFrom: [{ secretRef: { name: "db" } }] }],
    containers: [
      {
        name: "app",
        image: "shop:1",
        env: [
          { name: "A", valueFrom: { configMapKeyRef: { name: "settings", key: "theme" } } },
          { name: "B", valueFrom: { configMapKeyRef: { name: "flags", key: "a" } } },
        ],
      },
    ],
    volumes: [
      { name: "one", projected: { sources: [{ configMap: { name: "settings" } }, { secret: { name: "db" } }] } },
      { name: "two", secret: { secretName: "db" } },
    ],
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: "host", labelSelector: { matchExpressions: [{ key: "app", operator: "In", values: ["checkout"] }] } },
        ],
      },
    },
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway", labelSelector: { matchLabels: { app: "checkout" } } },
    ],
  },
};

const objects = new Map([settings, password("b2xk"), untracked].map((object) => [`${object.kind}/${object.metadata.name}`, object]));
const find = (kind: string, name: string) => objects.get(`${kind}/${name}`);
const target = (overrides: Record<string, unknown> = {}): KubeObject =>
  aDeployment("shop:1", {
    selector: { matchLabels: { app: "checkout", team: "pay" } },
    template,
    strategy: { type: "Recreate" },
    ...overrides,
  });
const digest = keyedDigest("key");
const revision: Revision = revisionOf(target(), find, digest);

function made(status: CanaryStatus, live: Partial<Live> = {}, input: CanaryInput = {}): Map<string, KubeObject> {
  const all: Live = {
    nowMs,
    digest,
    target: target(),
    primary: undefined,
    autoscaler: undefined,
    apexAdopted: false,
    content: revision.content,
    promoted: revision.content,
    secrets: () => [password("b2xk")],
    copyName: (_, name) => `${name}-primary`,
    ...live,
  };
  const canary = aCanary(input, {
    promotedRevision: revision.id,
    trackedRevision: revision.id,
    targetReplicas: 3,
    steppedAt: longAgo,
    ...status,
  });
  return new Map(workloads(canary, canary.status, all).map((object) => [`${object.kind}/${object.metadata.name}`, object]));
}

test("nothing is made without a target", () => {
  expect(made({ phase: "Progressing" }, { target: undefined })).toEqual(new Map());
});

const spec = (object: KubeObject | undefined) => object?.["spec"] as Record<string, never>;
const replicas = (objectsMade: Map<string, KubeObject>) => spec(objectsMade.get("Deployment/checkout"))["replicas"];

describe("the primary", () => {
  const primary = made({ phase: "Initializing" }).get("Deployment/checkout-primary");

  test("is the target under another label, with all its selector labels, its strategy and its replicas", () => {
    expect(primary?.metadata).toMatchObject({
      labels: { app: "checkout-primary", "serin.dev/canary": "checkout" },
      ownerReferences: [{ kind: "Canary", controller: true }],
    });
    expect(spec(primary)).toMatchObject({
      replicas: 3,
      strategy: { type: "Recreate" },
      selector: { matchLabels: { app: "checkout-primary", team: "pay" } },
      template: {
        metadata: { labels: { app: "checkout-primary", team: "pay" }, annotations: { note: "kept", "serin.dev/revision": revision.id } },
      },
    });
  });

  test("keeps away from its own pods, not from the canary's", () => {
    const pod = (spec(primary)["template"] as unknown as typeof template).spec;
    expect(JSON.stringify(pod.affinity)).toContain('"values":["checkout-primary"]');
    expect(pod.topologySpreadConstraints[0]?.labelSelector).toEqual({ matchLabels: { app: "checkout-primary" } });
  });

  test("reads its own copies of all tracked configs, and the originals of the others", () => {
    expect(configsOf(spec(primary)["template"] as unknown as typeof template)).toEqual([
      "ConfigMap/flags",
      "ConfigMap/settings-primary",
      "Secret/db-primary",
    ]);
  });

  test("runs the pinned revision, not what the target says now", () => {
    const newer = { ...template, spec: { ...template.spec, containers: [{ name: "app", image: "shop:2" }] } };
    const promoting = made({ phase: "Promoting" }, { target: target({ template: newer }) }).get("Deployment/checkout-primary");
    expect(JSON.stringify(promoting)).toContain("shop:1");
    expect(JSON.stringify(promoting)).not.toContain("shop:2");
  });

  test("is left alone when nobody knows what it shall run", () => {
    expect(made({ phase: "Succeeded" }, { content: undefined }).has("Deployment/checkout-primary")).toBe(false);
  });

  test("keeps the replicas that its autoscaler gave it", () => {
    const autoscalerRef = { kind: "HorizontalPodAutoscaler", name: "checkout" };
    const autoscaler = {
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: "checkout", namespace: "shop" },
      spec: { minReplicas: 2, maxReplicas: 9, scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "checkout" } },
    };
    const all = made({ phase: "Succeeded" }, { primary: aDeployment("shop:1", { replicas: 7 }), autoscaler }, { autoscalerRef });
    expect(spec(all.get("Deployment/checkout-primary"))["replicas"]).toBe(7);
    expect(spec(all.get("HorizontalPodAutoscaler/checkout-primary"))).toEqual({
      minReplicas: 2,
      maxReplicas: 9,
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "checkout-primary" },
    });
  });

  test("cannot be told apart without a selector label", () => {
    const unlabelled = target({ selector: { matchLabels: { role: "web" } } });
    expect(() => made({ phase: "Initializing" }, { target: unlabelled })).toThrow(/has none of app, name, app.kubernetes.io\/name/);
  });
});

describe("copies of configs", () => {
  test("hold text, binary data and Secrets", () => {
    const all = made({ phase: "Initializing" });
    expect(all.get("ConfigMap/settings-primary")).toMatchObject({ data: { theme: "dark" }, binaryData: { logo: "AAEC" } });
    expect(all.get("Secret/db-primary")).toMatchObject({ type: "Opaque", data: { password: "b2xk" } });
    expect(all.has("ConfigMap/flags-primary")).toBe(false);
  });

  test("take a Secret from whoever still has the pinned value", () => {
    const all = made({ phase: "Succeeded" }, { secrets: () => [password("bmV3"), password("b2xk", "db-primary")] });
    expect(all.get("Secret/db-primary")).toMatchObject({ data: { password: "b2xk" } });
    expect(made({ phase: "Succeeded" }, { secrets: () => [password("bmV3")] }).has("Secret/db-primary")).toBe(false);
  });

  test("keep a promoted Secret aside while another revision is copied over it", () => {
    const all = made(
      { phase: "Promoting" },
      {
        content: revisionOf(target(), (kind, name) => (name === "db" ? password("bmV3") : find(kind, name)), digest).content,
        secrets: () => [password("bmV3"), password("b2xk", "db-primary")],
      },
    );
    expect(all.get("Secret/db-primary")).toMatchObject({ data: { password: "bmV3" } });
    expect(all.get("Secret/db-primary-previous")).toMatchObject({ data: { password: "b2xk" } });
  });
});

describe("Services", () => {
  test("of the sides exist from the beginning, the apex one only once the primary serves", () => {
    const early = made({ phase: "Initializing" });
    expect(spec(early.get("Service/checkout-primary"))).toEqual({
      selector: { app: "checkout-primary", team: "pay" },
      ports: [{ name: "http", port: 80, protocol: "TCP", targetPort: 8080 }],
    });
    expect(spec(early.get("Service/checkout-canary"))["selector"]).toEqual({ app: "checkout", team: "pay" });
    expect(early.has("Service/checkout")).toBe(false);
    expect(spec(made({ phase: "Initialized" }).get("Service/checkout"))["selector"]).toEqual({ app: "checkout-primary", team: "pay" });
  });

  test("that were there before outlive the Canary", () => {
    expect(made({ phase: "Initialized" }, { apexAdopted: true }).get("Service/checkout")?.metadata.ownerReferences).toBeUndefined();
    expect(made({ phase: "Initialized" }).get("Service/checkout")?.metadata.ownerReferences).toHaveLength(1);
  });

  test("go back to the target on deletion and stay", () => {
    const apex = made({ phase: "Terminating", canaryWeight: 100 }).get("Service/checkout");
    expect(spec(apex)["selector"]).toEqual({ app: "checkout", team: "pay" });
    expect(apex?.metadata.ownerReferences).toBeUndefined();
  });
});

describe("the target's replicas", () => {
  test.each<[string, CanaryStatus, number]>([
    ["are taken over as they are", { phase: "Initializing" }, 2],
    ["go to zero at rest", { phase: "Succeeded" }, 0],
    ["stay until requests under way have ended", { phase: "Initialized", steppedAt: new Date(nowMs - 1_000).toISOString() }, 2],
    ["are those of before in a run", { phase: "Progressing" }, 3],
    ["go to zero after a failure", { phase: "Failed" }, 0],
    ["stay while a failed promotion has no other pods", { phase: "Failed", canaryWeight: 50 }, 2],
    ["come back on deletion", { phase: "Terminating" }, 3],
  ])("%s", (_, status, want) => {
    expect(replicas(made(status))).toBe(want);
  });

  test("are its autoscaler's in a run", () => {
    const autoscalerRef = { kind: "HorizontalPodAutoscaler", name: "checkout" };
    expect(replicas(made({ phase: "Progressing" }, {}, { autoscalerRef }))).toBe(2);
    expect(replicas(made({ phase: "Progressing" }, { target: target({ replicas: 0 }) }, { autoscalerRef }))).toBe(3);
  });

  test("are all that is written of it, and of no other object of its name", () => {
    expect(made({ phase: "Progressing" }).get("Deployment/checkout")).toEqual({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "checkout", namespace: "shop", uid: "target-uid" },
      spec: { replicas: 3 },
    });
  });
});

describe("a revision", () => {
  const id = (overrides: Record<string, unknown>, live = find) => revisionOf(target(overrides), live, digest).id;
  const withTemplate = (change: object) => ({ template: { ...template, ...change } });
  test.each<[string, string, boolean]>([
    ["is the same whatever the replicas", id({ replicas: 9 }), true],
    ["is the same whatever the order of fields", id({ template: { spec: template.spec, metadata: template.metadata } }), true],
    ["is the same when an untracked config changes", id({}, (kind, name) => (name === "flags" ? { ...untracked, data: { a: "2" } } : find(kind, name))), true],
    ["is another by an image", id(withTemplate({ spec: { ...template.spec, containers: [{ name: "app", image: "shop:2" }] } })), false],
    ["is another by a restart annotation: a person wants new pods", id(withTemplate({ metadata: { ...template.metadata, annotations: { "kubectl.kubernetes.io/restartedAt": "now" } } })), false],
    ["is another by a config's data", id({}, (kind, name) => (name === "settings" ? { ...settings, data: { theme: "light" } } : find(kind, name))), false],
    ["is another by binary data", id({}, (kind, name) => (name === "settings" ? { ...settings, binaryData: { logo: "BB==" } } : find(kind, name))), false],
    ["is another by a Secret's value", id({}, (kind, name) => (name === "db" ? password("bmV3") : find(kind, name))), false],
  ])("%s", (_, other, same) => {
    expect(other === revision.id).toBe(same);
    expect(other).toMatch(/^v1-[0-9a-f]{10}$/);
  });

  test.each<[string, string | undefined, boolean]>([
    ["a person writes", "Opaque", true],
    ["says nothing of its type", undefined, true],
    ["holds a certificate", "kubernetes.io/tls", true],
    ["a controller keeps", "kubernetes.io/service-account-token", false],
    ["an operator keeps", "example.dev/lease", false],
  ])("is released with a Secret that %s, or not", (_, type, released) => {
    const { type: _type, ...untyped } = password("b2xk");
    const typed = (value: string) => (kind: string, name: string) =>
      name === "db" ? { ...untyped, ...(type === undefined ? {} : { type }), data: { password: value } } : find(kind, name);
    expect(revisionOf(target(), typed("b2xk"), digest).id !== revisionOf(target(), typed("bmV3"), digest).id).toBe(released);
  });

  test("keeps no Secret's value", () => {
    expect(JSON.stringify(revision)).not.toContain("b2xk");
    expect(Object.keys(revision.content.configs)).toEqual(["ConfigMap/settings", "Secret/db"]);
  });

  test("names configs that do not exist, so that their coming is noticed", () => {
    expect(revisionOf(target(), () => undefined, digest).checksums).toEqual({
      "ConfigMap/flags": "absent",
      "ConfigMap/settings": "absent",
      "Secret/db": "absent",
    });
  });
});
