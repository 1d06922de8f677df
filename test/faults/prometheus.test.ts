import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { layoutOf } from "../../hack/control-plane/layout.ts";
import { proved, timed } from "../e2e/outcome.ts";
import { stage } from "../e2e/story.ts";
import { controlHere, factsHere, lasting, promotedUnharmed, rolledBackAndProposed, twoReleases, underWay, without } from "./world.ts";

const here = stage();
const control = controlHere();

test("Prometheus goes down while releases are analysed: both are held, nobody is blamed, and both go on", async (context) => {
  const { good, bad } = await twoReleases(here, context, { name: "blind" });
  await underWay(good);
  const { startedAt } = good.canary("shop");
  let weight: number | undefined;
  await without(control, "prometheus", async () => {
    await bad.releases("shop", "bad");
    await bad.until("a canary to be there", () => (bad.canary("shop").phase ?? "") === "Progressing");
    await good.until("the checks to say that there is no answer", () =>
      good.canary("shop").checks?.every(({ verdict }) => verdict === "inconclusive"),
    );
    weight = good.canary("shop").canaryWeight;
    await lasting(40);
    expect([good.canary("shop").phase, good.canary("shop").canaryWeight]).toEqual(["Progressing", weight]);
    expect([good.canary("shop").failedChecks ?? 0, bad.canary("shop").failedChecks ?? 0]).toEqual([0, 0]);
    expect([good.revert("shop"), bad.revert("shop")]).toEqual([undefined, undefined]);
  });
  const rightAgainMs = await timed(() => good.until("a step", () => (good.canary("shop").canaryWeight ?? 0) > (weight ?? 0)));
  await promotedUnharmed(good, "2", startedAt);
  await rolledBackAndProposed(bad);
  proved({
    fault: "Prometheus down in mid-analysis",
    meanwhile: "held at its weight, no check counts, the condition says why",
    after: "the good one is promoted, the bad one rolled back",
    rightAgainMs,
  });
});

test("Prometheus comes back empty: what it never saw counts for nothing", async (context) => {
  const { good, bad } = await twoReleases(here, context, { name: "empty" });
  await underWay(good);
  const { startedAt } = good.canary("shop");
  const folder = layoutOf(factsHere().dir).prometheus;
  await without(control, "prometheus", async () => {
    rmSync(join(folder, "data"), { recursive: true });
    expect(readdirSync(folder)).not.toContain("data");
  });
  const rightAgainMs = await timed(() => good.until("a step", () => (good.canary("shop").canaryWeight ?? 0) > 5));
  await promotedUnharmed(good, "2", startedAt);
  await bad.releases("shop", "bad");
  await rolledBackAndProposed(bad);
  proved({ fault: "Prometheus restarted without its data", meanwhile: "held until there are samples again", after: "promoted; a bad release is rolled back", rightAgainMs });
});
