import { names } from "../../src/api/meta.ts";
import type { BareApply } from "./bare.ts";

const filler = "The quick brown serin sings in the garden until dusk, and again at dawn. ".repeat(3);

/** One of many ConfigMaps, as YAML. */
export function configMapYaml(index: number, version: number): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${configMapName(index)}\ndata:\n  version: "${version}"\n  text: "${filler}"\n`;
}

/** Its name. */
export function configMapName(index: number): string {
  return `config-${String(index).padStart(5, "0")}`;
}

/** Many in one file. */
export function oneFile(count: number, version: (index: number) => number): Record<string, string> {
  return { "all.yaml": indexes(count).map((index) => configMapYaml(index, version(index))).join("---\n") };
}

/** Many, a file each. */
export function manyFiles(count: number, version: (index: number) => number): Record<string, string> {
  return Object.fromEntries(indexes(count).map((index) => [`${configMapName(index)}.yaml`, configMapYaml(index, version(index))]));
}

/** The same writes as a Sync's, bare: with labels and annotation as Serin applies them. */
export function bareConfigMaps(namespace: string, count: number, version: number): BareApply[] {
  return indexes(count).map((index) => {
    const metadata = {
      namespace,
      name: configMapName(index),
      labels: { [names.syncName]: "app", [names.syncNamespace]: namespace },
      annotations: { [names.commit]: "0123456789012345678901234567890123456789" },
    };
    return {
      path: `/api/v1/namespaces/${namespace}/configmaps/${configMapName(index)}`,
      body: JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { version: String(version), text: filler } }),
    };
  });
}

/** 0, 1, 2, … */
export function indexes(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
