import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    environment: "node",
    // Real servers, processes and sockets take part in the tests: a slow machine must not turn one red.
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
