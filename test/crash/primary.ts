import type { RevisionContent } from "../../src/api/cause.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { sameJson } from "../../src/lib/json.ts";
import { isBad } from "./traffic.ts";
import { kinds, named, specOf } from "./watched.ts";
import type { CrashWorld } from "./world.ts";

/** What a revision of an app consists of, as it is kept; `undefined`: it is not. */
export function contentIn(world: CrashWorld, app: string, revision: string): RevisionContent | undefined {
  return named(world, kinds.record, `${app}-${revision}`)?.["data"] as RevisionContent | undefined;
}

/** Image of a revision; empty for one that is not kept. */
export function imageIn(content: RevisionContent | undefined): string {
  const { containers } = (content?.template["spec"] ?? { containers: [] }) as { containers: readonly { readonly image: string }[] };
  return containers[0]?.image ?? "";
}

/** Whether the revision is bad for its users. */
export function isBadContent(app: string, content: RevisionContent): boolean {
  return isBad({ image: imageIn(content), config: content.configs[`ConfigMap/${app}-config`]?.["key"] });
}

/** How a primary's pod template differs from what the revision was recorded to be; `undefined`: not at all. */
export function templateDiffers(app: string, primary: KubeObject, content: RevisionContent | undefined): string | undefined {
  if (!content) return "of which nothing is recorded";
  const [{ template }, wanted] = [specOf(primary), renamed(content, app)];
  if (!sameJson(template.spec, wanted)) return `with ${JSON.stringify(template.spec)}, recorded is ${JSON.stringify(wanted)}`;
  const labels = { app: `${app}-primary` };
  return sameJson(template.metadata.labels, labels) ? undefined : `with labels ${JSON.stringify(template.metadata.labels)}`;
}

/** The recorded pods, which read the primary's copies of the configs that are part of the revision. */
function renamed({ template, configs }: RevisionContent, app: string): unknown {
  const config = `${app}-config`;
  const text = JSON.stringify(template["spec"]);
  const suffix = configs[`ConfigMap/${config}`] ? "-primary" : "";
  return JSON.parse(text.replaceAll(`{"name":"${config}"}`, `{"name":"${config}${suffix}"}`)) as unknown;
}

/** How the primary's copy of a config differs from what the revision was recorded to read; `undefined`: not at all. */
export function copyDiffers(copy: KubeObject, content: RevisionContent | undefined): string | undefined {
  const name = copy.metadata.name.slice(0, -"-primary".length);
  const wanted = content?.configs[`ConfigMap/${name}`];
  if (!wanted) return "which is recorded to read none";
  return sameJson(copy["data"], wanted) ? undefined : `with ${JSON.stringify(copy["data"])}, recorded is ${JSON.stringify(wanted)}`;
}
