import { defineConfig } from "vitest/config";

/** Suites that need the real control plane: `npm run test:cluster` starts one and runs them inside. */
export default defineConfig({
  test: {
    include: ["test/cluster/**/*.test.ts"],
    environment: "node",
    // There is one cluster for all of them, and each wants it as it was.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
