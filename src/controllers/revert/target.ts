import type { KubeObject } from "../../api/object.ts";
import type { Revert } from "../../api/revert.ts";
import { isRecord } from "../../lib/json.ts";

/** Name of the Deployment that a rendered Canary rolls out; `undefined`: the rendering has no such Canary. */
export function targetIn(rendered: readonly KubeObject[], { namespace, name }: { namespace: string; name: string }): string | undefined {
  const canary = rendered.find(
    ({ kind, metadata }) => kind === "Canary" && metadata.namespace === namespace && metadata.name === name,
  );
  const spec = canary?.["spec"];
  const ref = isRecord(spec) ? spec["targetRef"] : undefined;
  return isRecord(ref) && typeof ref["name"] === "string" ? ref["name"] : undefined;
}

/** Name of the Deployment that a Revert is about: as its cause says, else its Canary in the rendering, else as the Canary is called. */
export function targetOf({ metadata, spec }: Revert, rendered: readonly KubeObject[]): string {
  const prefix = "Deployment/";
  const inCause = spec.cause.find(({ object }) => object.startsWith(prefix))?.object.slice(prefix.length);
  return inCause ?? targetIn(rendered, { namespace: metadata.namespace ?? "", name: spec.canaryRef.name }) ?? spec.canaryRef.name;
}
