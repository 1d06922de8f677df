import { describe, expect, test } from "vitest";
import { z } from "zod";
import { crdOf, structuralProblems } from "./crd.ts";
import { kinds } from "./kinds.ts";
import { structuralSchema } from "./structural.ts";

describe.each(kinds.map((kind) => [kind.kind, kind] as const))("%s", (_, kind) => {
  test("has a structural schema", () => {
    const [version] = (crdOf(kind) as unknown as { spec: { versions: { schema: { openAPIV3Schema: Record<string, unknown> } }[] } }).spec
      .versions;
    expect(structuralProblems(version!.schema.openAPIV3Schema)).toEqual([]);
  });

  test("every field of the spec says what it means", () => {
    const silent: string[] = [];
    const walk = (schema: Record<string, unknown>, path: string) => {
      for (const [name, inner] of Object.entries((schema["properties"] ?? {}) as Record<string, Record<string, unknown>>)) {
        const refersByName = /(Ref|dependsOn\[\]|gatewayRefs\[\]|author|thresholdRange)$/.test(path);
        if (inner["description"] === undefined && !refersByName) silent.push(`${path}.${name}`);
        walk(inner, `${path}.${name}`);
        if (inner["items"]) walk(inner["items"] as Record<string, unknown>, `${path}.${name}[]`);
      }
    };
    walk(structuralSchema(kind.spec), "spec");
    expect(silent).toEqual([]);
  });

  test("its defaults fit its own schema", () => {
    const properties = Object.entries((structuralSchema(kind.spec)["properties"] ?? {}) as Record<string, { default?: unknown }>);
    const { shape } = kind.spec as unknown as { shape: Record<string, z.ZodType> };
    const wrong = properties.filter(([name, inner]) => inner.default !== undefined && !shape[name]!.safeParse(inner.default).success);
    expect(wrong.map(([name]) => name)).toEqual([]);
  });
});

test.each<[string, z.ZodType]>([
  ["a union of different types", z.object({ a: z.union([z.string(), z.object({ b: z.string() })]) })],
  ["a tuple", z.object({ a: z.tuple([z.string(), z.int()]) })],
])("%s is refused when it is built", (_, schema) => {
  expect(() => structuralSchema(schema)).toThrow(/cannot say/);
});

test("an integer keeps its bounds and has a format; a free one has none of the number type's own", () => {
  expect(structuralSchema(z.object({ a: z.int32().min(1), b: z.int() }))).toMatchObject({
    properties: { a: { type: "integer", format: "int32", minimum: 1 }, b: { type: "integer", format: "int64" } },
  });
  expect(structuralSchema(z.object({ b: z.int() }))).not.toHaveProperty("properties.b.minimum");
});
