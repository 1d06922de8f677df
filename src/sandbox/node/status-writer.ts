import { refOf } from "../../api/object.ts";
import { KubeError } from "../../kube/kube.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { Pod } from "../kinds.ts";
import { fieldManager, kinds } from "../kinds.ts";
import { changes } from "../workloads/writes.ts";
import { portsAnnotation } from "./addresses.ts";
import type { Slot } from "./container.ts";

/** Writes the newest status, one write at a time; what came up meanwhile goes into the next. */
export function startStatusWriter(options: {
  readonly pod: Pod;
  readonly deps: Pick<Slot, "kube" | "clock"> & { readonly log: Logger };
  readonly status: () => object;
  /** Real ports by container port, read anew each time; missing where pods have their own address. */
  readonly ports: ReadonlyMap<number, number> | undefined;
  readonly signal: AbortSignal;
}): () => void {
  const { pod, deps, signal } = options;
  const ref = refOf({ ...kinds.pod, metadata: pod.metadata });
  let [dirty, writing, ports] = [false, false, ""];
  let written: object = {};
  const write = async (): Promise<void> => {
    const next = JSON.stringify(Object.fromEntries(options.ports ?? []));
    // The ports go first: a pod that is ready must be reachable.
    if (options.ports?.size && next !== ports) {
      await deps.kube.patch(ref, { metadata: { annotations: { [portsAnnotation]: next } } }, { fieldManager }, signal);
      ports = next;
    }
    const status = options.status();
    const patch = changes(written, status);
    if (Object.keys(patch).length === 0) return;
    await deps.kube.patch(ref, { status: patch }, { fieldManager, subresource: "status" }, signal);
    written = status;
  };
  const flush = async (): Promise<void> => {
    if (writing) return;
    writing = true;
    while (dirty && !signal.aborted) {
      dirty = false;
      await write().catch(async (error: unknown) => {
        if (signal.aborted || (error instanceof KubeError && error.code === 404)) return;
        deps.log.debug({ pod: pod.metadata.name, error: messageOf(error) }, "pod status not written");
        dirty = true;
        await deps.clock.sleep(200, signal).catch(() => {});
      });
    }
    writing = false;
  };
  return () => {
    dirty = true;
    void flush();
  };
}
