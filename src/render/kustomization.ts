import { StalledError } from "../lib/errors.ts";
import { isRecord } from "../lib/json.ts";
import { buildFailed, readDocuments } from "./manifest.ts";
import type { InputFile } from "./renderer.ts";

/** One place of a kustomization.yaml that names something else. */
export interface Reference {
  /** As written, relative to the kustomization's folder. */
  readonly target: string;
  /** Where it is written, e.g. `resources[2]`. */
  readonly field: string;
  /** Whether it may be a folder with a kustomization of its own. */
  readonly mayBeFolder: boolean;
}

/** What a kustomization.yaml needs beside itself. */
export interface Kustomization {
  readonly references: readonly Reference[];
  /** It loads configurations that may name further files which we do not see. */
  readonly hasPlugins: boolean;
}

const folderFields = ["resources", "bases", "components", "generators", "transformers", "validators"];
const fileFields = ["crds", "configurations", "patchesStrategicMerge"];
const patchFields = ["patches", "patchesJson6902", "replacements"];
const generatorFields = ["configMapGenerator", "secretGenerator"];
const pluginFields = ["generators", "transformers", "validators"];
const helmFields = ["helmCharts", "helmChartInflationGenerator", "helmGlobals"];

/** Reads the references of a kustomization.yaml. Throws StalledError naming file and line when it is not YAML. */
export function readKustomization({ path, content }: InputFile): Kustomization {
  const value = readDocuments(content, path).at(0)?.value;
  if (!isRecord(value)) throw new StalledError(buildFailed, `${path}: is empty or not a mapping`);
  const helm = helmFields.find((field) => value[field] !== undefined);
  if (helm) throw new StalledError(buildFailed, `${path}: ${helm} needs the network and is not supported; render the chart and commit the result`);
  const references = [
    ...folderFields.flatMap((field) => texts(value[field], field).map((found) => ({ ...found, mayBeFolder: true }))),
    ...fileFields.flatMap((field) => texts(value[field], field)),
    ...patchFields.flatMap((field) => records(value[field], field).flatMap(({ item, place }) => texts([item["path"]], `${place}.path`))),
    ...generatorFields.flatMap((field) => records(value[field], field).flatMap(({ item, place }) => generatorFiles(item, place))),
    ...(isRecord(value["openapi"]) ? texts([value["openapi"]["path"]], "openapi.path") : []),
  ];
  return { references, hasPlugins: pluginFields.some((field) => texts(value[field], field).length > 0) };
}

function generatorFiles(item: Record<string, unknown>, place: string): Reference[] {
  const files = texts(item["files"], `${place}.files`).map((found) => ({
    ...found,
    target: found.target.slice(found.target.indexOf("=") + 1),
  }));
  return [...files, ...texts(item["envs"], `${place}.envs`), ...texts([item["env"]], `${place}.env`)];
}

/** The texts of a list; one of several lines is not a file's name but a patch or configuration written in place. */
function texts(value: unknown, field: string): Reference[] {
  if (!Array.isArray(value)) return [];
  const found = value.map((item: unknown, index) => ({ item, field: `${field}[${index}]` }));
  return found.flatMap(({ item, field: place }) =>
    typeof item === "string" && !item.includes("\n") && !item.trimStart().startsWith("{")
      ? [{ target: item, field: place, mayBeFolder: false }]
      : [],
  );
}

function records(value: unknown, field: string): { item: Record<string, unknown>; place: string }[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item: unknown, index) => (isRecord(item) ? [{ item, place: `${field}[${index}]` }] : []));
}

const onNetwork =
  /^[a-z][a-z0-9+.-]*:\/\/|^git@|^git::|^[\w.-]+@[\w.-]+:|\?(?:ref|version|timeout|submodules)=|^(?:github|gitlab|bitbucket)\.\w+[/:]/i;

/** Whether kustomize would look for this on the network when it is not in the repository. */
export function isRemote(target: string): boolean {
  return onNetwork.test(target);
}
