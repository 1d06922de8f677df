import { expect, test } from "vitest";
import { requestedAt } from "./hooks.ts";
import { proved, timed } from "../e2e/outcome.ts";
import { stage } from "../e2e/story.ts";
import { seen } from "../e2e/sight.ts";
import { startFaultyProxy, type Trouble } from "./proxy.ts";
import { controlHere, lasting, rolledBackAndProposed, without } from "./world.ts";

const here = stage();
const control = controlHere();

test("the Git host is down when a release fails: traffic goes back at once, and the paperwork follows", async (context) => {
  const team = await here.aTeam(context, "hostless", { canary: { stepWeight: 10 } });
  await team.releases("shop", "bad");
  await team.until("the bad release to be applied", () => team.tag("shop") === "bad");
  await without(control, "gitea", async () => {
    await team.rolledBack("shop");
    await team.held("shop", "1");
    await lasting(15);
    expect(team.revert("shop")?.status.phase).not.toBe("Proposed");
  });
  const rightAgainMs = await timed(() => rolledBackAndProposed(team));
  proved({ fault: "Git host down when a release fails", meanwhile: "traffic back and held without it", after: "one branch, one pull request", rightAgainMs });
});

const troubles: readonly [string, Trouble][] = [
  ["answers 500", "error"],
  ["answers with a page of HTML", "html"],
  ["sends half a pack", "half"],
  ["takes 20 s for every answer", "slow"],
];

test.for(troubles)("the Git host %s for a while: what runs stays, and the next good answer is used", async ([words, trouble], context) => {
  const { git } = here.place;
  const proxy = await startFaultyProxy(git.url);
  context.onTestFinished(() => proxy.close());
  const team = await here.aTeam(context, `host-${trouble}`);
  const url = `${proxy.url}/${git.organization}/${team.repository}.git`;
  await team.patches(seen.repository, "apps", { spec: { url, timeout: "5s" } });
  await team.until("the repository to be read through the proxy", () => team.ready(seen.repository, "apps").startsWith("True"));
  await team.atRest("shop");
  const before = team.running();
  proxy.trouble(trouble);
  const commit = await team.ada.push("A commit in trouble", { "apps/late.yaml": lateConfig });
  await team.until("the repository to say what is wrong", () => team.ready(seen.repository, "apps").startsWith("False"));
  expect(team.running()).toEqual(before);
  expect(team.find(seen.configMap, "late")).toBeUndefined();
  proxy.trouble(undefined);
  const rightAgainMs = await timed(async () => {
    await requestedAt(team);
    await team.until("the commit to be applied", () => team.sync().lastAppliedRevision?.includes(commit));
  });
  expect(team.find(seen.configMap, "late")).toBeDefined();
  await team.releases("shop", "bad");
  await rolledBackAndProposed(team);
  proved({ fault: `Git host ${words}`, meanwhile: "Ready=False says so, what runs stays", after: "the commit is applied; a bad release is reverted", rightAgainMs });
});

const lateConfig = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: late }\ndata: { a: b }\n";
