import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { crdOf } from "../../src/api/crd.ts";
import { kinds } from "../../src/api/kinds.ts";
import type { Kind } from "../../src/api/meta.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { structuralSchema } from "../../src/api/structural.ts";
import type { Schema } from "../../src/sandbox/api-server/schema.ts";
import { leastOf } from "./valid.ts";
import { type ControllersWorld, startControllers } from "./world.ts";
import { wrongValues } from "./wrong-values.ts";

const namespace = "shop";

let world: ControllersWorld;
beforeAll(async () => {
  world = await startControllers({ crds: kinds.map(unchecked) });
});
afterAll(() => world.close());

/** The kind as an API server knows it that checks nothing. */
function unchecked(kind: Kind): KubeObject {
  const crd = crdOf(kind) as unknown as { spec: { versions: { schema: { openAPIV3Schema: Schema } }[] } };
  const [version] = crd.spec.versions;
  version!.schema.openAPIV3Schema.properties!["spec"] = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  return crd as unknown as KubeObject;
}

describe.each(kinds.map((kind) => [kind.kind, kind] as const))("a %s that an older CustomResourceDefinition let through", (_, kind) => {
  test("is Stalled with the path of every field that is wrong, and goes on once it is mended", async () => {
    const good = leastOf(kind.kind, "odd", namespace);
    const faults = wrongValues(structuralSchema(kind.spec) as Schema, "spec", good.spec);
    const missing = faults.filter(({ fault, path }) => fault === "missing" && /^spec\.\w+$/.test(path));
    const { name } = good.metadata;
    await world.apply({ ...good, spec: {} });
    const { message } = await world.told(kind.kind, { namespace, name }, { type: "Stalled", status: "True", reason: "InvalidSpec" });
    expect(message).toContain(`${kind.kind} ${namespace}/${name}: `);
    for (const { path } of missing) expect(message).toContain(`${path}: `);
    await world.told(kind.kind, { namespace, name }, { type: "Ready", status: "False", reason: "InvalidSpec" });
    await world.apply(good);
    await world.mended(kind.kind, { namespace, name }, "InvalidSpec");
  });
});
