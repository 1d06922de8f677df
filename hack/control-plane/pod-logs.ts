import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { logFile } from "./controller-images.ts";

/** Answers `kubectl logs`, which the API server passes on to the node. Resolves when it listens. */
export async function serveLogs(options: {
  readonly port: number;
  /** Files of a certificate and its key; the API server asks for any, and looks at none. */
  readonly certificate: string;
  readonly key: string;
  readonly pods: string;
}): Promise<void> {
  const tls = { cert: readFileSync(options.certificate), key: readFileSync(options.key) };
  const server = createServer(tls, (request, response) => answer(options.pods, request, response));
  await new Promise<void>((resolve) => server.listen(options.port, "0.0.0.0", resolve));
}

function answer(pods: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url ?? "/", "https://node");
  const [, kind, namespace = "", pod = "", container = ""] = pathname.split("/").map(decodeURIComponent);
  // Names of objects hold no slash, and the path of a file is made of them.
  if (kind !== "containerLogs" || [namespace, pod, container].some((name) => !/^[a-z0-9][a-z0-9.-]*$/.test(name))) {
    response.writeHead(404).end("this node answers for containerLogs only\n");
    return;
  }
  const file = logFile(pods, { namespace, pod, container });
  if (!existsSync(file)) {
    response.end("this container is a function of the node and writes no log\n");
    return;
  }
  const lines = searchParams.get("tailLines");
  const follow = searchParams.get("follow") === "true" ? ["-F"] : [];
  const tail = spawn("tail", [...follow, "-n", lines ?? "+1", file], { stdio: ["ignore", "pipe", "ignore"] });
  tail.stdout.pipe(response);
  response.once("close", () => tail.kill());
}
