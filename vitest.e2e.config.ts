import { defineConfig } from "vitest/config";

/** `core`: a few minutes' worth that CI runs; `all`: every scenario. */
const folders = process.env["SERIN_E2E"] === "all" ? ["core", "scenarios"] : ["core"];

export default defineConfig({
  test: {
    include: folders.map((folder) => `test/e2e/${folder}/*.test.ts`),
    environment: "node",
    // Scenarios of one file share a controller and go on side by side; files would share the machine's cores.
    fileParallelism: false,
    maxConcurrency: 8,
    testTimeout: 240_000,
    hookTimeout: 120_000,
  },
});
