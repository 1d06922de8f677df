import { defineConfig } from "vitest/config";

/** Faults are made on the one control plane that the process runs in, so one after the other. */
export default defineConfig({
  test: {
    include: ["test/faults/*.test.ts", "test/e2e/core/leader.test.ts"],
    environment: "node",
    fileParallelism: false,
    maxConcurrency: 1,
    testTimeout: 600_000,
    hookTimeout: 180_000,
  },
});
