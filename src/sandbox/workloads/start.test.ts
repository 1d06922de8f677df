import { workloadSuite } from "../../../test/conformance/workloads.ts";
import { startTestCluster } from "../../../test/sandbox-cluster.ts";

workloadSuite("the sandbox's controllers", () => startTestCluster());
