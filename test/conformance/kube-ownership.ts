import { expect, test } from "vitest";
import { type KubeObject, refOf } from "../../src/api/object.ts";
import { conflictsOf } from "../../src/kube/apply.ts";
import type { Bench } from "./kube-writes.ts";

/** Whose field is whose after applies, patches, status and scale writes. */
export function ownershipConformance({ kube, namespace, aWidget, fresh, refusal, options, signal }: Bench): void {
  test("an apply gives fields up when they are left out, and keeps what others own", async () => {
    const name = fresh();
    await kube().apply(aWidget(name, { size: 1, colour: "red" }), options, signal);
    await kube().apply(aWidget(name, { replicas: 3 }), { fieldManager: "another" }, signal);
    const { spec } = await kube().apply(aWidget(name, { size: 1 }), options, signal);
    expect(spec).toEqual({ size: 1, replicas: 3 });
  });

  test("without force a field of another's is a conflict that names field and manager; with force it is taken", async () => {
    const name = fresh();
    await kube().apply(aWidget(name, { replicas: 3 }), { fieldManager: "autoscaler" }, signal);
    const error = await refusal(kube().apply(aWidget(name, { replicas: 5 }), { ...options, force: false }, signal));
    expect(conflictsOf(error)).toEqual([{ manager: "autoscaler", field: ".spec.replicas" }]);
    expect((await kube().apply(aWidget(name, { replicas: 5 }), options, signal))["spec"]).toEqual({ replicas: 5 });
  });

  test("items of keyed lists belong to their managers one by one", async () => {
    const container = (name: string, more: object = {}): object => ({ name, image: `${name}:1`, ...more });
    const deployment = (...containers: object[]): KubeObject => ({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { namespace, name: "keyed" },
      spec: { selector: { matchLabels: { app: "a" } }, template: { metadata: { labels: { app: "a" } }, spec: { containers } } },
    });
    const imagesOf = ({ spec }: KubeObject): [string, string][] => {
      const { template } = spec as { template: { spec: { containers: { name: string; image: string }[] } } };
      return template.spec.containers.map(({ name, image }) => [name, image]);
    };
    await kube().apply(deployment(container("app"), container("proxy")), options, signal);
    await kube().apply(deployment(container("app", { image: "app:2" }), container("side")), { fieldManager: "another" }, signal);
    const left = await kube().apply(deployment(container("proxy")), options, signal);
    expect(imagesOf(left).toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual([["app", "app:2"], ["proxy", "proxy:1"], ["side", "side:1"]]);
    expect(ownersOf(left, "spec", "template", "spec", "containers")).toEqual({
      another: ['k:{"name":"app"}', 'k:{"name":"side"}'],
      "serin-conformance": ['k:{"name":"proxy"}'],
    });
  });

  test("what a patch, a status and a scale write change becomes theirs, and nobody else's any more", async () => {
    const deployment: KubeObject = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { namespace, name: "scaled" },
      spec: {
        replicas: 1,
        minReadySeconds: 5,
        selector: { matchLabels: { app: "b" } },
        template: { metadata: { labels: { app: "b" } }, spec: { containers: [{ name: "app", image: "app:1" }] } },
      },
    };
    const at = refOf(deployment);
    const owners = async (): Promise<Record<string, string[]>> => {
      const fields = ownersOf(await kube().get(at, signal), "spec");
      return Object.fromEntries(
        Object.entries(fields).map(([who, set]) => [who, set.filter((field) => field === "f:replicas" || field === "f:minReadySeconds")]),
      );
    };
    await kube().apply(deployment, options, signal);
    await kube().patch(at, { spec: { replicas: 3 } }, { fieldManager: "autoscaler", subresource: "scale" }, signal);
    await kube().patch(at, { spec: { minReadySeconds: 7 } }, { fieldManager: "hand" }, signal);
    await kube().patch(at, { status: { observedGeneration: 1 } }, { fieldManager: "kubelet", subresource: "status" }, signal);
    expect(await owners()).toEqual({ "serin-conformance": [], "autoscaler scale": ["f:replicas"], hand: ["f:minReadySeconds"] });
    expect(((await kube().get(at, signal))["spec"] as { replicas: number }).replicas).toBe(3);
    await kube().apply({ ...deployment, spec: { replicas: 2 } }, { fieldManager: "serin-replicas" }, signal);
    expect(await owners()).toMatchObject({ "serin-conformance": [], hand: ["f:minReadySeconds"], "serin-replicas": ["f:replicas"] });
  });
}

/** Which fields below this one each manager owns; a subresource is named behind it. */
function ownersOf({ metadata }: KubeObject, ...path: string[]): Record<string, string[]> {
  const entries = (metadata.managedFields ?? []).flatMap(({ manager = "", subresource, fieldsV1 }): [string, string[]][] => {
    const below = path.reduce<unknown>((set, field) => (set as Record<string, unknown> | undefined)?.[`f:${field}`], fieldsV1);
    const who = subresource === undefined ? manager : `${manager} ${subresource}`;
    return below === undefined ? [] : [[who, Object.keys(below as object).sort()]];
  });
  return Object.fromEntries(entries);
}
