import { apiVersion } from "../../src/api/meta.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { StalledError } from "../../src/lib/errors.ts";
import { hashJson } from "../../src/lib/json.ts";
import type { InputFile, RenderedObject, Renderer } from "../../src/render/renderer.ts";

/** The namespace of everything. */
export const namespace = "shop";

/** One object as people write it: its kind and name, and a line for each value. */
export interface Sheet {
  readonly kind: "Deployment" | "ConfigMap" | "Canary";
  readonly name: string;
  readonly values: Readonly<Record<string, string>>;
}

/** The text of a file: one block for each object, one line for each value, so that lines can be merged and undone. */
export function textOf(sheets: readonly Sheet[]): string {
  return sheets.map(blockOf).join("\n");
}

function blockOf({ kind, name, values }: Sheet): string {
  const lines = Object.entries(values).map(([key, value]) => `${key} = ${value}\n# of ${name}\n`);
  return `${kind} ${name}\n${lines.join("")}`;
}

/** The reverse of {@link textOf}. Throws StalledError for a line that is none of these. */
export function sheetsOf(text: string, file: string): Sheet[] {
  const sheets: { kind: Sheet["kind"]; name: string; values: Record<string, string> }[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line === "" || line.startsWith("#")) continue;
    const value = /^([\w-]+) = (.*)$/.exec(line);
    const head = /^(Deployment|ConfigMap|Canary) ([\w-]+)$/.exec(line);
    const current = sheets.at(-1);
    if (head?.[2] !== undefined) sheets.push({ kind: head[1] as Sheet["kind"], name: head[2], values: {} });
    else if (value?.[1] !== undefined && current) current.values[value[1]] = value[2] ?? "";
    else throw new StalledError("BuildFailed", `${file}:${index + 1}: "${line}" cannot be read`);
  }
  return sheets;
}

/** The object that a sheet describes. */
export function objectOf({ kind, name, values }: Sheet): KubeObject {
  const metadata = { name, namespace };
  switch (kind) {
    case "ConfigMap":
      return { apiVersion: "v1", kind, metadata, data: values };
    case "Deployment":
      return { apiVersion: "apps/v1", kind, metadata, spec: deploymentSpec(name, values) };
    case "Canary":
      return { apiVersion, kind, metadata, spec: canarySpec(name, values) };
    default:
      return kind satisfies never;
  }
}

function deploymentSpec(name: string, { replicas = "1", image = "", mode, config }: Sheet["values"]): object {
  const container = {
    name: "app",
    image,
    ...(mode === undefined ? {} : { env: [{ name: "MODE", value: mode }] }),
    ...(config === undefined ? {} : { envFrom: [{ configMapRef: { name: config } }] }),
  };
  const labels = { app: name };
  return {
    replicas: Number(replicas),
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [container] } },
  };
}

const metrics = [{ name: "errors", interval: "10s", query: 'errors{deployment="{{ target }}"}', thresholdRange: { max: 1 } }];

function canarySpec(name: string, values: Sheet["values"]): object {
  const { method, steps = "50", threshold = "1", strategy = "PullRequest", scope = "Canary", suspend } = values;
  return {
    targetRef: { kind: "Deployment", name },
    service: { port: 80, gatewayRefs: [{ name: "web" }] },
    analysis: {
      interval: "10s",
      threshold: Number(threshold),
      stepWeights: steps.split(",").map(Number),
      ...(method === "share" ? { method, warmup: "10s" } : { metrics }),
    },
    progressDeadlineSeconds: 120,
    revert: { strategy, scope },
    ...(suspend === "yes" ? { suspend: true } : {}),
  };
}

/** Renders sheets. Files are remembered by their text: thousands of runs read the same few. */
export function sheetRenderer(): Renderer {
  const remembered = new Map<string, RenderedObject[]>();
  const readFile = ({ path, content }: InputFile): RenderedObject[] => {
    const text = Buffer.from(content).toString("utf8");
    const key = `${path}\n${text}`;
    const known = remembered.get(key);
    if (known) return known;
    const objects = sheetsOf(text, path).map((sheet) => ({ object: objectOf(sheet), origin: { file: path } }));
    remembered.set(key, objects);
    return objects;
  };
  return {
    matches: () => true,
    inputs: async (tree, path, signal) => hashJson([path, await tree.objectAt(path, signal)]),
    render: async (tree, path, signal) => (await tree.files(path, signal)).filter((file) => file.path.endsWith(".txt")).flatMap(readFile),
  };
}
