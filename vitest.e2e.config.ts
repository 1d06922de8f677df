import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** `core`: a few minutes' worth that CI runs; `all`: every scenario. `revert` tells reconcilers when to go on, which only the sandbox lets it. */
const all = process.env["SERIN_E2E"] === "all";
const sandbox = process.env["SERIN_CONTROL_PLANE"] === undefined && process.env["SERIN_E2E_GATEWAY"] === undefined;
const folders = ["core", ...(sandbox ? ["revert"] : []), ...(all ? ["scenarios"] : [])];

export default defineConfig({
  test: {
    include: folders.map((folder) => `test/e2e/${folder}/*.test.ts`),
    environment: "node",
    // Scenarios of one file share a controller and go on side by side. Files have a sandbox each, but a cluster is one for all.
    fileParallelism: sandbox,
    // A sandbox and all who use it are one process: dozens of services at once are a core's worth of work.
    maxWorkers: all ? Math.max(1, Math.floor(availableParallelism() / 2)) : 2,
    maxConcurrency: 4,
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
});
