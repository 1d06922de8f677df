import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** One package that a bundle holds code of. */
interface Bundled {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** What its licence and notice files say. */
  readonly texts: readonly string[];
}

/** The licence texts of all packages that these modules come from: whoever passes the bundle on must pass them on too. */
export function noticesOf(modules: readonly string[]): string {
  const folders = new Set(modules.flatMap((id) => packageFolder(id) ?? []));
  const packages = [...folders].map(readPackage).sort((a, b) => (`${a.name}@${a.version}` < `${b.name}@${b.version}` ? -1 : 1));
  const parts = packages.map(({ name, version, license, texts }) => `## ${name} ${version} (${license})\n\n${texts.join("\n\n")}`);
  return `Serin is under the Apache License 2.0. The bundle also holds code of these packages.\n\n${parts.join("\n\n")}\n`;
}

/** The folder of the package below node_modules that a file belongs to; `undefined` for our own. */
function packageFolder(id: string): string | undefined {
  const path = id.replace(/^\0/, "").replace(/\?.*$/, "");
  if (!path.includes("/node_modules/")) return undefined;
  for (let folder = dirname(path); !folder.endsWith("/node_modules"); folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json")) && isPackage(folder)) return folder;
  }
  return undefined;
}

/** Packages have smaller package.json files inside, which only say of which module type a folder is. */
function isPackage(folder: string): boolean {
  const { name, version } = manifestOf(folder);
  return name !== undefined && version !== undefined;
}

function manifestOf(folder: string): { name?: string; version?: string; license?: string } {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name?: string };
}

function readPackage(folder: string): Bundled {
  const { name = "", version = "", license = "see below" } = manifestOf(folder);
  const files = readdirSync(folder).filter((file) => /^(?:licen[cs]e|notice|copying)/i.test(file)).sort();
  const texts = files.map((file) => readFileSync(join(folder, file), "utf8").trim());
  return { name, version, license, texts: texts.length > 0 ? texts : ["The package has no licence file."] };
}
