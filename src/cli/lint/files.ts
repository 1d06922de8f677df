import { lstat, readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { isRecord } from "../../lib/json.ts";
import { parseYaml, YamlError } from "../../lib/yaml.ts";
import { MisuseError } from "../misuse.ts";
import { problemOf, readText } from "../read-text.ts";

/** A text that may hold objects. */
export interface InputText {
  /** As messages call it. */
  readonly file: string;
  readonly text: string;
  /** Found in a folder: it may be anything, not only manifests. */
  readonly found: boolean;
}

const manifest = /\.(?:ya?ml|json)$/;
const kustomization = /^kustomization\.ya?ml$|^Kustomization$/;
/** As Sync: a larger file is no manifest. */
const maxFileBytes = 1024 * 1024;
/** What kustomize or helm writes of a whole fleet. */
const maxInputBytes = 64 * 1024 * 1024;
const maxFiles = 50_000;

/**
 * Texts of files, of all manifests below folders, and of standard input (`-`). Patches of a kustomization in such a folder are
 * left out: they are no whole objects. Throws {@link MisuseError} for what is not there.
 */
export async function readInputs(paths: readonly string[], stdin: AsyncIterable<Buffer>): Promise<InputText[]> {
  const texts: InputText[] = [];
  for (const path of paths) {
    if (path === "-") texts.push({ file: "<stdin>", text: await readAll(stdin), found: false });
    else texts.push(...(await readPath(path)));
  }
  return texts;
}

async function readAll(input: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of input) {
    size += chunk.length;
    if (size > maxInputBytes) throw new MisuseError(`standard input is larger than ${maxInputBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function readPath(path: string): Promise<InputText[]> {
  const stats = await stat(path).catch((error: unknown) => {
    throw new MisuseError(`${problemOf(path, error)}; name files, folders, or - for standard input`);
  });
  if (!stats.isDirectory()) return [await readManifest(path)];
  const files = await manifestsBelow(path);
  const texts: InputText[] = [];
  for (const file of files) {
    const { size } = await lstat(file);
    if (size <= maxFileBytes) texts.push({ file, text: await readFile(file, "utf8"), found: true });
  }
  const patches = new Set(texts.filter(({ file }) => kustomization.test(file.slice(file.lastIndexOf("/") + 1))).flatMap(patchesOf));
  return texts.filter(({ file }) => !patches.has(file));
}

/** A file that was named. Throws {@link MisuseError}. */
export async function readManifest(file: string): Promise<InputText> {
  return { file, text: await readText(file, { what: "a manifest", maxBytes: maxFileBytes }), found: false };
}

/** Regular files only, in the order of their names; hidden folders and node_modules are left out. */
async function manifestsBelow(folder: string): Promise<string[]> {
  const files: string[] = [];
  const open = [folder];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const entry of await readdir(next, { withFileTypes: true })) {
      const path = join(next, entry.name);
      if (entry.isDirectory() && !entry.name.startsWith(".") && entry.name !== "node_modules") open.push(path);
      if (entry.isFile() && (manifest.test(entry.name) || kustomization.test(entry.name))) files.push(path);
    }
    if (files.length > maxFiles) throw new MisuseError(`${folder} holds more than ${maxFiles} manifests; name the folders that matter`);
  }
  return files.sort();
}

/** Files that a kustomization uses as patches. */
function patchesOf({ file, text }: InputText): string[] {
  const lists = documentsOf(file, text).flatMap((value) =>
    isRecord(value) ? [value["patches"], value["patchesStrategicMerge"], value["patchesJson6902"]] : [],
  );
  return lists
    .flatMap((list) => (Array.isArray(list) ? (list as unknown[]) : []))
    .map((patch) => (isRecord(patch) ? patch["path"] : patch))
    .filter((path) => typeof path === "string")
    .map((path) => normalize(join(dirname(file), path)));
}

function documentsOf(file: string, text: string): unknown[] {
  try {
    return parseYaml(text, file).map(({ value }) => value);
  } catch (error) {
    if (error instanceof YamlError) return [];
    throw error;
  }
}
