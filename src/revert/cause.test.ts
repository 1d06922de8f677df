import { describe, expect, test } from "vitest";
import type { RevisionContent } from "../api/cause.ts";
import { causeOf } from "./cause.ts";

function revision(
  over: {
    image?: string;
    env?: Record<string, string>;
    annotations?: Record<string, string>;
    configs?: RevisionContent["configs"];
    volume?: string;
  } = {},
): RevisionContent {
  const env = Object.entries(over.env ?? {}).map(([name, value]) => ({ name, value }));
  return {
    template: {
      metadata: { annotations: over.annotations ?? {} },
      spec: {
        containers: [{ name: "app", image: over.image ?? "shop:2", env }],
        ...(over.volume ? { volumes: [{ name: "config", configMap: { name: over.volume } }] } : {}),
      },
    },
    configs: over.configs ?? {},
  };
}

function deciding(promoted: RevisionContent, failed: RevisionContent, earlier: RevisionContent[] = []): string[] {
  return causeOf("shop", promoted, failed, earlier)!.fields.filter(({ decides }) => decides).map(({ object, path }) => `${object} ${path}`);
}

const image = "Deployment/shop spec.template.spec.containers[app].image";

describe("rule 1: which fields decide", () => {
  test.each<[string, RevisionContent, RevisionContent, string[]]>([
    ["an image decides alone", revision(), revision({ image: "shop:3", env: { LOG: "debug" } }), [image]],
    ["without an image every changed field decides", revision(), revision({ env: { LOG: "debug" } }), ["Deployment/shop spec.template.spec.containers[app].env"]],
    [
      "a list with names is compared item by item",
      revision({ env: { A: "1", B: "1" } }),
      revision({ env: { A: "1", B: "2" } }),
      ["Deployment/shop spec.template.spec.containers[app].env[B].value"],
    ],
    [
      "a checksum only follows the config it was computed from",
      revision({ annotations: { "checksum/config": "a" }, configs: { "ConfigMap/shop": { mode: "good" } } }),
      revision({ annotations: { "checksum/config": "b" }, configs: { "ConfigMap/shop": { mode: "bad" } } }),
      ["ConfigMap/shop data.mode"],
    ],
    [
      "binary data of a config is named where manifests have it",
      revision({ configs: { "ConfigMap/shop": { mode: "same", "binaryData/logo": "QQ==" } } }),
      revision({ configs: { "ConfigMap/shop": { mode: "same", "binaryData/logo": "Qg==" } } }),
      ["ConfigMap/shop binaryData.logo"],
    ],
    [
      "a generated name decides when nothing else does",
      revision({ volume: "shop-config-6ft88t2625" }),
      revision({ volume: "shop-config-b9c8d7f6g5" }),
      ["Deployment/shop spec.template.spec.volumes[config].configMap.name"],
    ],
    [
      "a generated name only follows an image",
      revision({ volume: "shop-config-6ft88t2625" }),
      revision({ volume: "shop-config-b9c8d7f6g5", image: "shop:3" }),
      [image],
    ],
  ])("%s", (_, promoted, failed, want) => {
    expect(deciding(promoted, failed)).toEqual(want);
  });

  test("a field that changed in more than half of the last ten revisions is a build stamp", () => {
    const stamped = (build: number, log = "info") => revision({ env: { BUILD: String(build), LOG: log } });
    const earlier = Array.from({ length: 9 }, (_, back) => stamped(9 - back));
    expect(deciding(stamped(9), stamped(10, "debug"), earlier)).toEqual(["Deployment/shop spec.template.spec.containers[app].env[LOG].value"]);
  });

  test("the digests of a Secret's values tell causes apart", () => {
    const one = causeOf(
      "shop",
      revision({ configs: { "Secret/db": { password: "digest-a" } } }),
      revision({ configs: { "Secret/db": { password: "digest-b" } } }),
      [],
    )!;
    const two = causeOf(
      "shop",
      revision({ configs: { "Secret/db": { password: "digest-a" } } }),
      revision({ configs: { "Secret/db": { password: "digest-c" } } }),
      [],
    )!;
    expect(one.fields).toEqual([
      { object: "Secret/db", path: "data.password", promoted: "digest-a", failed: "digest-b", secret: true, decides: true },
    ]);
    expect(one.id).not.toBe(two.id);
  });

  test("the same bad change has the same id, whatever follows it", () => {
    const one = causeOf("shop", revision(), revision({ image: "shop:3" }), [])!;
    const two = causeOf("shop", revision(), revision({ image: "shop:3", annotations: { "checksum/config": "z" } }), [])!;
    expect(two.id).toBe(one.id);
  });

  test("equal revisions have no cause", () => {
    expect(causeOf("shop", revision(), revision(), [])).toBeUndefined();
  });
});
