import { expect, test } from "vitest";
import type { PartName } from "../../hack/control-plane/facts.ts";
import { configMap } from "../e2e/manifests.ts";
import { proved, timed } from "../e2e/outcome.ts";
import { seen } from "../e2e/sight.ts";
import { stage } from "../e2e/story.ts";
import { controlHere, lasting, promotedUnharmed, rolledBackAndProposed, twoReleases, underWay, without } from "./world.ts";

const here = stage();
const control = controlHere();

/**
 * After two minutes the watches of Contour and kube-controller-manager, each on its own, look for the API server once a minute, and
 * until then the gateway misses pods that come and go. With small steps nothing rolls out before they are back.
 */
const slowly = 1;
const outages: readonly [string, PartName, number, number?][] = [
  ["API server down for 2 minutes", "kube-apiserver", 120, slowly],
  ["etcd killed and started again", "etcd", 5],
  ["kube-controller-manager away for 20 s", "kube-controller-manager", 20],
];

test.for(outages)("%s during releases: users notice nothing, and both runs end as they should", async ([fault, part, seconds, stepWeight], context) => {
  const { good, bad } = await twoReleases(here, context, { name: part.replace("kube-", ""), ...(stepWeight ? { stepWeight } : {}) });
  await underWay(good);
  const { startedAt, canaryWeight = 0 } = good.canary("shop");
  const applied = good.sync().inventory?.entries;
  const commit = await bad.ada.push("A commit before the outage", { "apps/note.yaml": configMap("note", { text: "seen" }) });
  await without(control, part, () => lasting(seconds));
  const rightAgainMs = await timed(() => good.until("its weight to rise again", () => (good.canary("shop").canaryWeight ?? 0) > canaryWeight + 1));
  await promotedUnharmed(good, "2", startedAt);
  await bad.until("the commit to be applied", () => bad.sync().lastAppliedRevision?.includes(commit));
  expect(bad.find(seen.configMap, "note")).toMatchObject({ data: { text: "seen" } });
  await bad.releases("shop", "bad");
  await rolledBackAndProposed(bad);
  expect(good.sync().inventory?.entries).toEqual(applied);
  proved({ fault, meanwhile: "the gateway keeps its weights, no request fails", after: "the run goes on where it was; a bad release later is reverted", rightAgainMs });
});
