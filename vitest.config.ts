import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    // The end-to-end suite has a configuration and a script of its own: vitest.e2e.config.ts.
    exclude: [...configDefaults.exclude, "test/e2e/core/**", "test/e2e/revert/**", "test/e2e/scenarios/**", "test/cluster/**", "test/faults/**"],
    environment: "node",
    // Most tests wait for servers and processes of their own: more workers than cores keep the cores busy. With four on two cores
    // the machine is late for tests that count lost requests.
    maxWorkers: Math.max(3, availableParallelism()),
    // No module of ours has state, so files may share a process: a fifth of the time would go into loading modules anew.
    isolate: false,
    // Real servers, processes and sockets take part in the tests: a slow machine must not turn one red.
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
