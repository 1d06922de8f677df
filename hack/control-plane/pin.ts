// Writes pins/*/go.mod and go.sum anew from the recipe. Run it after a change of versions, and commit what it wrote.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { goMods, pinsOf } from "./recipe.ts";

for (const [name, text] of Object.entries(goMods)) {
  const folder = pinsOf(name as keyof typeof goMods);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "go.mod"), text);
  execFileSync("go", ["mod", "tidy"], { cwd: folder, stdio: "inherit", env: { ...process.env, GOFLAGS: "-mod=mod" } });
}
