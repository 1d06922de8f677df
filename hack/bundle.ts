// Writes dist/serin.mjs: the whole program in one file that needs nothing but Node, and dist/LICENSES.txt for what is in it.
// `npm run bundle -- --version-string 1.2.3 --out FOLDER`; the version is package.json's and the folder dist otherwise.
import { isBuiltin } from "node:module";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Plugin, rolldown } from "rolldown";
import { noticesOf } from "./licenses.ts";

const root = resolve(import.meta.dirname, "..");
const semver = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/;

const { values } = parseArgs({ options: { "version-string": { type: "string" }, out: { type: "string", default: join(root, "dist") } } });
const version = values["version-string"] ?? (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }).version;
if (!semver.test(version)) throw new Error(`--version-string ${version}: a version looks like 1.2.3 or 1.2.3-rc.1`);

/** Of package.json the program reads its version and nothing else. */
const withVersion: Plugin = {
  name: "version",
  load: (id) => (id === join(root, "package.json") ? { code: JSON.stringify({ version }), moduleType: "json" } : undefined),
};

const bundle = await rolldown({ input: join(root, "src/main.ts"), platform: "node", plugins: [withVersion] });
const { output } = await bundle.generate({ format: "esm", codeSplitting: false, comments: false });
await bundle.close();
const [program] = output;
const missing = program.imports.filter((specifier) => !isBuiltin(specifier));
if (output.length > 1 || missing.length > 0) throw new Error(`the bundle would need more than itself: ${missing.join(", ")}`);

/** With a single letter outside of ASCII the engine keeps all of the text in twice the memory, in each of our two processes. */
const inAscii = (code: string): string =>
  code.replaceAll(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

mkdirSync(values.out, { recursive: true });
writeFileSync(join(values.out, "serin.mjs"), inAscii(program.code), { mode: 0o755 });
writeFileSync(join(values.out, "LICENSES.txt"), noticesOf(Object.keys(program.modules)));
process.stdout.write(`wrote ${relative(process.cwd(), join(values.out, "serin.mjs"))}, version ${version}\n`);
