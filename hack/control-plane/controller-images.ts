import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Images } from "../../src/sandbox/node/images.ts";
import { imageTable } from "../../src/sandbox/node/images.ts";
import type { ProcessImage } from "../../src/sandbox/node/process-program.ts";
import { processProgram } from "../../src/sandbox/node/process-program.ts";
import { addresses } from "./layout.ts";

/** What controllers are run with. */
export interface ControllerImages extends Pick<ProcessImage, "dir" | "mintToken"> {
  /** File with the bundle of each version; read at each start, so that versions may come later. */
  readonly table: string;
  /** Folders with kustomize and helm. */
  readonly tools: readonly string[];
}

const table = z.record(z.string(), z.string());

/** `serin.dev/controller:VERSION`: the bundle that the table names for the version, as a process. An unknown version does not exist. */
export function controllerImages({ table: file, tools, dir, mintToken }: ControllerImages): Images {
  const { hostname, port } = new URL(addresses.apiServer);
  return imageTable({
    "serin.dev/controller": (tag) => {
      const bundles = readTable(file);
      if (!bundles) return "registryError";
      const bundle = bundles[tag];
      if (bundle === undefined || !existsSync(bundle)) return "notFound";
      return processProgram({
        entrypoint: [process.execPath, bundle],
        defaultArgs: ["controller"],
        env: (ip) => ({
          SERIN_LISTEN_ADDRESS: ip,
          PATH: [...tools, dirname(process.execPath), "/usr/local/bin", "/usr/bin", "/bin"].join(":"),
          HOME: "/tmp",
          NODE_ENV: "production",
          KUBERNETES_SERVICE_HOST: hostname,
          KUBERNETES_SERVICE_PORT: port,
          KUBERNETES_SERVICE_PORT_HTTPS: port,
        }),
        needs: [...new Set([...tools, dirname(process.execPath), dirname(bundle)])],
        dir,
        mintToken,
      });
    },
  });
}

/** `undefined`: it cannot be read, e.g. because somebody is writing it. */
function readTable(file: string): Readonly<Record<string, string>> | undefined {
  try {
    return table.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return undefined;
  }
}

/** Where a container's log is, of pods that are processes. */
export function logFile(pods: string, { namespace, pod, container }: { namespace: string; pod: string; container: string }): string {
  return join(pods, namespace, pod, `${container}.log`);
}
