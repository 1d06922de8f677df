import { expect, test } from "vitest";
import { appIn, configMap, never, startWorld } from "../../../test/sync-world.ts";
import type { KubeObject } from "../../api/object.ts";
import type { Hold } from "../../revert/hold.ts";

const workload = (image: string) =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: app, image: "${image}"}]}\n`;
const imageOf = (object: KubeObject | undefined) =>
  (object as unknown as { spec: { template: { spec: { containers: { image: string }[] } } } }).spec.template.spec.containers[0]?.image;

test("what is held back stays out while later commits ship, and nothing is written before what must come first", async () => {
  let holds: Hold[] = [];
  let rendered = 0;
  let refused = "a branch of this cluster is read first";
  const world = await startWorld({
    deps: {
      holdsOf: async (_, objects) => {
        if (holds.length > 0) rendered += (await objects()).length;
        return holds;
      },
      beforeFirstApply: async () => {
        if (refused !== "") throw new Error(refused);
      },
    },
  });
  try {
    const app = appIn(world, "held");
    const first = app.source.commit({ "web.yaml": workload("shop:2"), "c.yaml": configMap("c", { k: "1" }) });
    await app.create();
    expect((await app.becomes(first, "False")).message).toContain(refused);
    expect(await app.find("Deployment", "web", "apps/v1")).toBeUndefined();
    refused = "";
    await app.becomes(first, "True");

    const bad = app.source.commit({ "web.yaml": workload("shop:3"), "c.yaml": configMap("c", { k: "1" }) });
    await app.poke();
    await app.becomes(bad, "True");
    expect(imageOf(await app.find("Deployment", "web", "apps/v1"))).toBe("shop:3");
    expect(rendered).toBe(0);

    holds = [
      {
        canary: "web",
        namespace: "held",
        fields: [
          {
            object: "Deployment/web",
            path: "spec.template.spec.containers[app].image",
            promoted: "shop:2",
            failed: "shop:3",
            decides: true,
          },
        ],
      },
    ];
    const later = app.source.commit({ "web.yaml": workload("shop:3"), "c.yaml": configMap("c", { k: "2" }) });
    await app.poke();
    const { status } = await app.becomes(later, "True");
    expect(status).toMatchObject({
      revision: `main@sha1:${later} holding web`,
      holding: ["web"],
      lastAppliedRevision: `main@sha1:${later}`,
    });
    const held = await app.find("Deployment", "web", "apps/v1");
    expect(imageOf(held)).toBe("shop:2");
    expect(held?.metadata.annotations?.["serin.dev/commit"]).toBe(bad);
    expect((await app.find("ConfigMap", "c"))?.["data"]).toEqual({ k: "2" });

    const merged = app.source.commit({ "web.yaml": workload("shop:2"), "c.yaml": configMap("c", { k: "2" }) });
    const before = held?.metadata.resourceVersion;
    await app.poke();
    const after = await app.becomes(merged, "True");
    expect(after.status.revision).toBe(`main@sha1:${merged}`);
    expect(after.status.holding).toBeUndefined();
    expect(
      (await world.kube.get({ apiVersion: "apps/v1", kind: "Deployment", namespace: "held", name: "web" }, never())).metadata
        .resourceVersion,
    ).toBe(before);
  } finally {
    await world.close();
  }
});
