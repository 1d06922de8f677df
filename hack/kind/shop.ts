// What the image serin.dev/shop:TAG runs: the shop that the sandbox's node knows, as a process. SHOP_IMAGE is its own name.
import { createServer } from "node:http";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock as clock } from "../../src/lib/clock.ts";
import { scenarioImages } from "../../src/sandbox/node/scenario-images.ts";

const port = 8080;
/** How long requests are still taken after the word to stop, so that every gateway has heard of it. */
const drainMs = 3_000;

const image = process.env["SHOP_IMAGE"] ?? "";
const program = scenarioImages().find(image);
if (typeof program === "string") throw new Error(`SHOP_IMAGE is "${image}", which no registry has`);
const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: hostname() } };
const env = Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
const stop = new AbortController();
const { serve } = await program({
  pod,
  container: "app",
  image,
  command: [],
  env,
  files: new Map(),
  ip: "0.0.0.0",
  clock,
  signal: stop.signal,
  killed: stop.signal,
  exit: (code) => process.exit(code),
});
const server = createServer(serve).listen(Number(env["PORT"] ?? port), "0.0.0.0");

process.once("SIGTERM", () => {
  void sleep(drainMs).then(() => {
    stop.abort(new Error("told to stop"));
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
});
