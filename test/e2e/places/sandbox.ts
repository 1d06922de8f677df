import { rmSync } from "node:fs";
import { serverAt } from "../../../src/kube/kubeconfig.ts";
import { createLogger } from "../../../src/lib/log.ts";
import { scenarioImages } from "../../../src/sandbox/node/scenario-images.ts";
import { startSandbox } from "../../../src/sandbox/start.ts";
import { controllers } from "../controller.ts";
import type { Place, PlaceOptions } from "../place.ts";

const person = { login: "ada", password: "ada", token: "token-of-ada" };
const bot = { login: "renovate-bot", password: "renovate", token: "token-of-renovate" };
const serin = { login: "serin", password: "serin", token: "token-of-serin", readOnlyToken: "reading-token-of-serin" };

/** Starts a sandbox in this process. */
export async function openSandbox(dir: string, { scrapeIntervalMs = 1_000 }: PlaceOptions): Promise<Place> {
  const users = [person, bot, serin] as const;
  const sandbox = await startSandbox({ dir, images: scenarioImages(), users, scrapeIntervalMs, log: createLogger("error") });
  const { apiServer, kubeconfig, kube, informers, gateway, metrics, git } = sandbox;
  const running = controllers({ dir, kubeconfig, connection: serverAt(apiServer), prometheus: metrics.url });
  return {
    name: "sandbox",
    kubeconfig,
    kube,
    informers,
    prometheus: metrics.url,
    gateway,
    git: {
      url: git.url,
      organization: "acme",
      accounts: { person, bot, serin, readOnly: { ...serin, token: serin.readOnlyToken } },
      createRepository: async (name) => void (await git.createRepository("acme", name)),
    },
    dir,
    routers: ["gatewayapi:v1", "nginx"],
    lasting: false,
    startController: running.start,
    close: async () => {
      await running.close();
      await sandbox.close();
      rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
