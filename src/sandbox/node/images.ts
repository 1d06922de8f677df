import type { RequestListener } from "node:http";
import type { KubeObject } from "../../api/object.ts";
import type { Clock } from "../../lib/clock.ts";

/** What a program is told about itself. */
export interface ProgramContext {
  readonly pod: KubeObject;
  readonly container: string;
  readonly image: string;
  readonly command: readonly string[];
  /** Everything from `env` and `envFrom`, resolved. */
  readonly env: Readonly<Record<string, string>>;
  /** Mounted ConfigMaps and Secrets by path, as they were when the container started. */
  readonly files: ReadonlyMap<string, string>;
  /** The pod's address. */
  readonly ip: string;
  readonly clock: Clock;
  /** Aborts when the container is asked to stop; requests are still served for a while. */
  readonly signal: AbortSignal;
  /** Aborts when nothing of the container may go on. */
  readonly killed: AbortSignal;
  /** Ends the container, as `process.exit` would. Not zero: a crash. */
  readonly exit: (code: number) => void;
}

/** A started program. With neither `serve` nor `alone` it is a job that has ended well. */
export interface RunningProgram {
  /** Answers on every port of the container. */
  readonly serve?: RequestListener;
  /** Carries out exec probes; answers the exit code. */
  readonly exec?: (command: readonly string[]) => Promise<number>;
  /** It needs no port of the node's making. */
  readonly alone?: {
    /** Resolves when nothing of it runs any more: some time after `signal` aborts, at once after `killed` does. */
    readonly ended: Promise<void>;
    /** Whether its probes are really tried, on the container's own ports; else it is ready as long as it runs. */
    readonly probed: boolean;
  };
}

/** What an image's name stands for. Throwing is a crash with exit code 1. */
export type Program = (context: ProgramContext) => RunningProgram | Promise<RunningProgram>;

/** The registry: what a node finds when it pulls. */
export interface Images {
  find(image: string): Program | "notFound" | "registryError";
}

/** A registry of these repositories; each says what a tag of it is. Anything else is not found. */
export function imageTable(repositories: Readonly<Record<string, (tag: string) => Program | "notFound" | "registryError">>): Images {
  const table = new Map(Object.entries(repositories));
  return {
    find: (image) => {
      const { repository, tag } = parseImage(image);
      return table.get(repository)?.(tag) ?? "notFound";
    },
  };
}

/** Several registries as one: the first that has an image, or fails, answers. */
export function anyOf(...registries: readonly Images[]): Images {
  return {
    find: (image) => {
      for (const registry of registries) {
        const found = registry.find(image);
        if (found !== "notFound") return found;
      }
      return "notFound";
    },
  };
}

/** `registry/name:tag` taken apart; without a tag it is `latest`, as for a container runtime. */
export function parseImage(image: string): { repository: string; tag: string } {
  const bare = image.replace(/@.*$/, "");
  const colon = bare.lastIndexOf(":");
  if (colon <= bare.lastIndexOf("/")) return { repository: bare, tag: "latest" };
  return { repository: bare.slice(0, colon), tag: bare.slice(colon + 1) };
}

/** Why a pull failed, in the words of containerd. */
export function pullError(image: string, why: "notFound" | "registryError"): string {
  const { repository, tag } = parseImage(image);
  const failed = `failed to pull and unpack image "${image}": failed to resolve reference "${image}"`;
  if (why === "notFound") return `rpc error: code = NotFound desc = ${failed}: ${image}: not found (manifest unknown)`;
  const path = repository.replace(/^([^/]+)\//, "https://$1/v2/");
  return `rpc error: code = Unknown desc = ${failed}: unexpected status from HEAD request to ${path}/manifests/${tag}: 500 Internal Server Error`;
}
