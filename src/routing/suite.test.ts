import { describe, expect, test } from "vitest";
import { aCanary } from "../../test/builders.ts";
import type { Canary, RouterName } from "../api/canary.ts";
import type { KubeObject } from "../api/object.ts";
import { keyOf, refOf } from "../api/object.ts";
import { StalledError } from "../lib/errors.ts";
import { routers } from "./routers.ts";

/** What each router needs of the user, and the input that is unusable for it. */
const given: Record<
  RouterName,
  { canary: Canary; inputs: KubeObject[]; unusable: { canary: Canary; inputs: KubeObject[]; reason: string } }
> = {
  "gatewayapi:v1": {
    canary: aCanary(),
    inputs: [],
    unusable: { canary: aCanary({ service: { gatewayRefs: [] } }), inputs: [], reason: "GatewayMissing" },
  },
  nginx: {
    canary: aCanary({ provider: "nginx", ingressRef: { name: "shop" } }),
    inputs: [ingress("checkout")],
    unusable: {
      canary: aCanary({ provider: "nginx", ingressRef: { name: "shop" } }),
      inputs: [ingress("other")],
      reason: "IngressWithoutApex",
    },
  },
};

function ingress(service: string, annotations: Record<string, string> = {}): KubeObject {
  const backend = { service: { name: service, port: { number: 80 } } };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name: "shop", namespace: "shop", annotations },
    spec: {
      ingressClassName: "nginx",
      tls: [{ hosts: ["shop.example"], secretName: "tls" }],
      rules: [{ host: "shop.example", http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }],
    },
  };
}

describe.each(Object.entries(routers).map(([name, router]) => ({ name, router, ...given[name as RouterName] })))(
  "$name",
  ({ router, canary, inputs, unusable }) => {
    const routes = (weight: number) => router.routes(canary, { primary: 100 - weight, canary: weight }, inputs);

  test.each([0, 1, 50, 99, 100])("reads back the %i%% it wrote", (weight) => {
    expect(router.split(routes(weight))).toEqual({ primary: 100 - weight, canary: weight });
  });

  test("knows no split before the first apply", () => {
    expect(router.split([])).toBeUndefined();
    expect(router.notAccepted([])).toMatch(/does not exist yet/);
  });

    test("names what it makes", () => {
      expect(router.outputs(canary).map((ref) => `${ref.kind} ${keyOf(ref)}`)).toEqual(
        routes(20)
          .map(refOf)
          .map((ref) => `${ref.kind} ${keyOf(ref)}`),
      );
    });

  test("makes the same objects whatever the weight: only shares differ", () => {
    expect(routes(0).map(refOf)).toEqual(routes(100).map(refOf));
  });

  test("points at the sides' Services and never makes anything in another namespace", () => {
    const text = JSON.stringify(routes(20));
    expect(text).toContain("checkout-canary");
    expect(routes(20).every(({ metadata }) => metadata.namespace === "shop")).toBe(true);
  });

  test("what stays after the Canary points at no side", () => {
    expect(JSON.stringify(router.restored(canary))).not.toMatch(/checkout-(canary|primary)/);
  });

  test("says what is wrong with unusable inputs", () => {
    const error = caught(() => router.routes(unusable.canary, { primary: 100, canary: 0 }, unusable.inputs));
    expect(error).toBeInstanceOf(StalledError);
    expect((error as StalledError).reason).toBe(unusable.reason);
  });
});

function caught(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

describe("Gateway API", () => {
  const router = routers["gatewayapi:v1"];
  const [route] = router.routes(aCanary({ service: { timeout: "5s" } }), { primary: 80, canary: 20 }, []);
  const live = (parents: unknown[]): KubeObject[] => [{ ...route!, metadata: { ...route!.metadata, generation: 3 }, status: { parents } }];
  const parent = (conditions: unknown[]) => ({ parentRef: { name: "public" }, controllerName: "x", conditions });

  test("writes one HTTPRoute as the specification has it", () => {
    expect(route).toEqual({
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "checkout", namespace: "shop" },
      spec: {
        parentRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "public" }],
        hostnames: ["shop.example"],
        rules: [
          {
            matches: [{ path: { type: "PathPrefix", value: "/" } }],
            backendRefs: [
              { group: "", kind: "Service", name: "checkout-primary", port: 80, weight: 80 },
              { group: "", kind: "Service", name: "checkout-canary", port: 80, weight: 20 },
            ],
            timeouts: { request: "5s" },
          },
        ],
      },
    });
  });

  test.each<[string, KubeObject[], RegExp]>([
    ["is accepted by all parents", live([parent([{ type: "Accepted", status: "True", observedGeneration: 3 }])]), /^served$/],
    ["has no answer yet", live([]), /no Gateway has answered/],
    ["was accepted at an earlier generation", live([parent([{ type: "Accepted", status: "True", observedGeneration: 2 }])]), /has not accepted the current HTTPRoute/],
    ["is refused", live([parent([{ type: "Accepted", status: "False", observedGeneration: 3, message: "no such listener" }])]), /Gateway public does not serve the HTTPRoute: no such listener/],
    ["names a Service that is not there", live([parent([{ type: "Accepted", status: "True", observedGeneration: 3 }, { type: "ResolvedRefs", status: "False", message: "backend not found" }])]), /backend not found/],
  ])("says whether the route %s", (_, objects, want) => {
    expect(router.notAccepted(objects) ?? "served").toMatch(want);
  });
});

describe("nginx", () => {
  const canary = given.nginx.canary;
  const [made] = routers.nginx.routes(canary, { primary: 75, canary: 25 }, [
    ingress("checkout", {
      "nginx.ingress.kubernetes.io/proxy-read-timeout": "5",
      "nginx.ingress.kubernetes.io/canary-by-header": "x",
      "kubectl.kubernetes.io/last-applied-configuration": "{}",
      "serin.dev/commit": "abc",
    }),
  ]);

  test("copies the Ingress with its annotations, and sends its share to the canary's Service", () => {
    expect(made?.metadata).toEqual({
      name: "shop-canary",
      namespace: "shop",
      annotations: {
        "nginx.ingress.kubernetes.io/proxy-read-timeout": "5",
        "nginx.ingress.kubernetes.io/canary": "true",
        "nginx.ingress.kubernetes.io/canary-weight": "25",
      },
    });
    const paths = [{ backend: { service: { name: "checkout-canary" } } }];
    expect(made?.["spec"]).toMatchObject({ ingressClassName: "nginx", tls: [{ secretName: "tls" }], rules: [{ http: { paths } }] });
  });

  test("is switched off by weight 0 at rest", () => {
    const [rest] = routers.nginx.routes(canary, { primary: 100, canary: 0 }, given.nginx.inputs);
    expect(rest?.metadata.annotations?.["nginx.ingress.kubernetes.io/canary-weight"]).toBe("0");
  });

  test("asks for the Ingress when it is not there", () => {
    expect(() => routers.nginx.routes(canary, { primary: 100, canary: 0 }, [])).toThrow(/Ingress shop\/shop: not found/);
  });
});
