import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { bundlesIn, cacheFolder } from "../../hack/control-plane/build.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { hasTool } from "../tools.ts";

const run = promisify(execFile);

/** Folder of the chart. */
export const chart = resolve(import.meta.dirname, "../../charts/serin");

/** The real helm: what the control plane's recipe built, else that on PATH. `undefined`: there is none; in CI that is an error. */
export function findHelm(): string | undefined {
  const built = join(bundlesIn(cacheFolder(process.env)).helm.bin, "helm");
  if (existsSync(built)) return built;
  return hasTool("helm") ? "helm" : undefined;
}

/** Runs helm without the machine's own configuration. Throws with what it says when it fails. */
export async function helm(binary: string, ...args: string[]): Promise<string> {
  const env = { PATH: process.env["PATH"], HOME: "/nonexistent", KUBECONFIG: "/nonexistent" };
  const { stdout } = await run(binary, args, { env, maxBuffer: 1 << 26 });
  return stdout;
}

/** The objects that an installation named `serin` makes, in the order in which helm would make them. */
export async function render(binary: string, ...args: string[]): Promise<KubeObject[]> {
  return renderAs("serin", binary, ...args);
}

/** The objects of an installation of this name. */
export async function renderAs(release: string, binary: string, ...args: string[]): Promise<KubeObject[]> {
  const text = await helm(binary, "template", release, chart, "--namespace", "serin-system", ...args);
  return parseAllDocuments(text).flatMap((document) => (document.contents === null ? [] : [document.toJS() as KubeObject]));
}

/** The value at a path of names with dots between, or numbers in lists; `undefined`: there is none. */
export function at(value: unknown, path: string): unknown {
  const inside = (outer: unknown, name: string): unknown =>
    typeof outer === "object" && outer !== null ? Reflect.get(outer, name) : undefined;
  return path.split(".").reduce(inside, value);
}

/** The objects of one kind. */
export function of(objects: readonly KubeObject[], kind: string): KubeObject[] {
  return objects.filter((object) => object.kind === kind);
}
