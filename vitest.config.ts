import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    environment: "node",
    // Most tests wait for servers and processes of their own: more workers than cores keep the cores busy.
    maxWorkers: Math.max(3, availableParallelism()),
    // Real servers, processes and sockets take part in the tests: a slow machine must not turn one red.
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
