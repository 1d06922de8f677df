import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { KindRef, KubeObject } from "../../src/api/object.ts";
import { isRecord } from "../../src/lib/json.ts";
import { parseYaml } from "../../src/lib/yaml.ts";

/** The CRDs of the Gateway API and Contour, from Contour's source, and Serin's own. */
export function customResources({ contour, serin }: { contour: string; serin: string }): KubeObject[] {
  const files = [contour, serin].flatMap((folder) => readdirSync(folder).sort().map((file) => join(folder, file)));
  return files.filter((file) => file.endsWith(".yaml")).flatMap(objectsIn);
}

/** The kinds that a CustomResourceDefinition brings, in each version that is served. */
export function definedKinds({ spec }: KubeObject): KindRef[] {
  const { group, names, versions } = definition.parse(spec);
  return versions.filter(({ served }) => served).map(({ name }) => ({ apiVersion: `${group}/${name}`, kind: names.kind }));
}

const definition = z.object({
  group: z.string(),
  names: z.object({ kind: z.string() }),
  versions: z.array(z.object({ name: z.string(), served: z.boolean() })),
});

function objectsIn(file: string): KubeObject[] {
  return parseYaml(readFileSync(file), file).map(({ value }) => {
    if (!isRecord(value) || typeof value["kind"] !== "string") throw new Error(`${file} holds something that is not an object`);
    return value as unknown as KubeObject;
  });
}
