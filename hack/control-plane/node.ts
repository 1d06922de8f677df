// The node of a control plane: schedules pods, runs them, and answers on its health port when it is Ready.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createKube } from "../../src/kube/client.ts";
import { createInformers } from "../../src/kube/informers.ts";
import { loadKubeConfig } from "../../src/kube/kubeconfig.ts";
import { systemClock as clock } from "../../src/lib/clock.ts";
import { createLogger } from "../../src/lib/log.ts";
import { kinds } from "../../src/sandbox/kinds.ts";
import { podAddresses } from "../../src/sandbox/node/addresses.ts";
import { anyOf } from "../../src/sandbox/node/images.ts";
import { scenarioImages } from "../../src/sandbox/node/scenario-images.ts";
import { startNode } from "../../src/sandbox/node/start.ts";
import { startScheduler } from "../../src/sandbox/workloads/start.ts";
import { controllerImages } from "./controller-images.ts";
import { addresses, layoutOf, settings as settingsSchema } from "./layout.ts";
import { serveLogs } from "./pod-logs.ts";
import { tokenMint } from "./pod-tokens.ts";
import { followScrapeTargets } from "./scrape-targets.ts";

const settings = settingsSchema.parse(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")));
const layout = layoutOf(settings.dir);
const { signal } = new AbortController();
const log = createLogger("info");
const connection = await loadKubeConfig({ path: layout.kubeconfigOf("node") });
const kube = createKube(connection);
const informers = createInformers({ watch: kube, log, signal });
const controllers = controllerImages({
  table: layout.controllerImages,
  tools: [settings.bundles.kustomize.bin, settings.bundles.helm.bin],
  dir: layout.pods,
  mintToken: tokenMint(connection),
});
await serveLogs({ port: addresses.nodeLogsPort, certificate: layout.certificate, key: layout.certificateKey, pods: layout.pods });
await startNode({
  kube,
  informers,
  images: anyOf(scenarioImages(), controllers),
  name: "one",
  endpoint: { address: addresses.node, logsPort: addresses.nodeLogsPort },
  addresses: podAddresses(addresses.podNetwork),
  clock,
  log,
  signal,
});
await startScheduler({ kube, informers, clock, log, signal });
followScrapeTargets({ informer: informers.of(kinds.pod), file: layout.podTargets, clock, log, signal });
createServer((_, response) => void response.end("ok")).listen(Number(new URL(addresses.nodeHealth).port), "127.0.0.1");
