// The node of a control plane: schedules pods, runs them, and answers on its health port when it is Ready.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createKube } from "../../src/kube/client.ts";
import { createInformers } from "../../src/kube/informers.ts";
import { loadKubeConfig } from "../../src/kube/kubeconfig.ts";
import { systemClock as clock } from "../../src/lib/clock.ts";
import { createLogger } from "../../src/lib/log.ts";
import { podAddresses } from "../../src/sandbox/node/addresses.ts";
import { scenarioImages } from "../../src/sandbox/node/scenario-images.ts";
import { startNode } from "../../src/sandbox/node/start.ts";
import { kinds } from "../../src/sandbox/kinds.ts";
import { startScheduler } from "../../src/sandbox/workloads/start.ts";
import { addresses, layoutOf, settings as settingsSchema } from "./layout.ts";
import { followScrapeTargets } from "./scrape-targets.ts";

const settings = settingsSchema.parse(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")));
const layout = layoutOf(settings.dir);
const { signal } = new AbortController();
const log = createLogger("info");
const kube = createKube(await loadKubeConfig({ path: layout.kubeconfigOf("node") }));
const informers = createInformers({ watch: kube, log, signal });
await startNode({
  kube,
  informers,
  images: scenarioImages(),
  name: "one",
  addresses: podAddresses(addresses.podNetwork),
  clock,
  log,
  signal,
});
await startScheduler({ kube, informers, clock, log, signal });
followScrapeTargets({ informer: informers.of(kinds.pod), file: layout.podTargets, clock, log, signal });
createServer((_, response) => void response.end("ok")).listen(Number(new URL(addresses.nodeHealth).port), "127.0.0.1");
