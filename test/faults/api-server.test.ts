import { expect, test } from "vitest";
import type { PartName } from "../../hack/control-plane/facts.ts";
import { stage } from "../e2e/story.ts";
import { controlHere, lasting, promotedUnharmed, proved, rolledBackAndProposed, timed, twoReleases, underWay, without } from "./world.ts";

const here = stage();
const control = controlHere();

const outages: readonly [string, PartName, number][] = [
  ["API server down for 2 minutes", "kube-apiserver", 120],
  ["etcd killed and started again", "etcd", 5],
  ["kube-controller-manager away for 20 s", "kube-controller-manager", 20],
];

test.for(outages)("%s during releases: users notice nothing, and both runs end as they should", async ([fault, part, seconds], context) => {
  const { good, bad } = await twoReleases(here, context, part.replace("kube-", ""));
  await underWay(good);
  const { startedAt } = good.canary("shop");
  const commit = await bad.ada.push("A commit before the outage", { "apps/note.yaml": null });
  await without(control, part, () => lasting(seconds));
  const rightAgainMs = await timed(() => promotedUnharmed(good, "2", startedAt));
  await bad.until("the commit to be applied", () => bad.sync().lastAppliedRevision?.includes(commit));
  await bad.releases("shop", "bad");
  await rolledBackAndProposed(bad);
  expect(good.sync().inventory?.entries.length).toBe(bad.sync().inventory?.entries.length);
  proved({ fault, meanwhile: "the gateway keeps its weights, no request fails", after: "the run goes on where it was; a bad release later is reverted", rightAgainMs });
});
