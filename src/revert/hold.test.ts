import { describe, expect, test } from "vitest";
import type { CauseField } from "../api/cause.ts";
import type { KubeObject } from "../api/object.ts";
import { hold } from "./hold.ts";

function deployment(image: string, env: { name: string; value: string }[] = [], extra: object = {}): KubeObject {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "shop", namespace: "prod" },
    spec: { replicas: 3, template: { spec: { containers: [{ name: "app", image, env }, { name: "proxy", image: "proxy:1" }], ...extra } } },
  };
}

const image: CauseField = {
  object: "Deployment/shop",
  path: "spec.template.spec.containers[app].image",
  promoted: "shop:2",
  failed: "shop:3",
  decides: true,
};
const log: CauseField = {
  object: "Deployment/shop",
  path: "spec.template.spec.containers[app].env[LOG].value",
  promoted: "info",
  failed: "debug",
  decides: false,
};
const holds = (...fields: CauseField[]) => [{ canary: "shop", namespace: "prod", fields }];

describe("rule 2: hold", () => {
  test.each<[string, KubeObject, CauseField[], KubeObject]>([
    ["the failed value is replaced by the promoted one", deployment("shop:3"), [image], deployment("shop:2")],
    ["the promoted value is left and nothing is held", deployment("shop:2"), [image], deployment("shop:2")],
    ["a deciding field is held whatever HEAD says by now", deployment("shop:4"), [image], deployment("shop:2")],
    [
      "a following field goes with it while it has its failed value",
      deployment("shop:3", [{ name: "LOG", value: "debug" }]),
      [image, log],
      deployment("shop:2", [{ name: "LOG", value: "info" }]),
    ],
    [
      "a following field that was changed since stays",
      deployment("shop:3", [{ name: "LOG", value: "trace" }]),
      [image, log],
      deployment("shop:2", [{ name: "LOG", value: "trace" }]),
    ],
    [
      "a field that the promoted revision did not have is removed",
      deployment("shop:2", [], { hostNetwork: true }),
      [{ object: "Deployment/shop", path: "spec.template.spec.hostNetwork", failed: true, decides: true }],
      deployment("shop:2"),
    ],
    [
      "a list item that the promoted revision had is put back",
      deployment("shop:2"),
      [{ object: "Deployment/shop", path: "spec.template.spec.containers[app].env[A]", promoted: { name: "A", value: "1" }, decides: true }],
      deployment("shop:2", [{ name: "A", value: "1" }]),
    ],
  ])("%s", (_, rendered, fields, want) => {
    expect(hold([rendered], holds(...fields)).objects).toEqual([want]);
  });

  test("what a Secret says as stringData goes too: it would win over what is held", () => {
    const metadata = { name: "db", namespace: "prod" };
    const object = (kind: string, more: object): KubeObject => ({ apiVersion: "v1", kind, metadata, ...more });
    const values = { path: "data.password", promoted: "b2xk", failed: "bmV3" };
    const field = (kind: string): CauseField => ({ object: `${kind}/db`, ...values, decides: true });
    const texts = { stringData: { password: "new", user: "app" } };
    expect(hold([object("Secret", { data: { password: "bmV3" }, ...texts })], holds(field("Secret"))).objects).toEqual([
      object("Secret", { data: { password: "b2xk" }, stringData: { user: "app" } }),
    ]);
    expect(hold([object("ConfigMap", { data: { password: "bmV3" }, ...texts })], holds(field("ConfigMap"))).objects).toEqual([
      object("ConfigMap", { data: { password: "b2xk" }, ...texts }),
    ]);
  });

  test("says which canaries are held, and only those of which a value was replaced", () => {
    expect(hold([deployment("shop:3")], holds(image)).holding).toEqual(["shop"]);
    expect(hold([deployment("shop:2")], holds(image)).holding).toEqual([]);
  });

  test("holding twice is holding once", () => {
    const once = hold([deployment("shop:3")], holds(image)).objects;
    expect(hold(once, holds(image))).toEqual({ objects: once, holding: [] });
  });

  test("nothing else is touched: other objects, other namespaces, other containers", () => {
    const other = { ...deployment("shop:3"), metadata: { name: "shop", namespace: "staging" } };
    const config: KubeObject = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "shop", namespace: "prod" },
      data: { image: "shop:3" },
    };
    expect(hold([other, config], holds(image))).toEqual({ objects: [other, config], holding: [] });
  });
});
