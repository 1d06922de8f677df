import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { seen } from "../sight.ts";
import { stage } from "../story.ts";
import type { Team } from "../team.ts";

const here = stage();
const services = ["basket", "checkout", "search"] as const;

/** Each service gets a commit of its own. */
async function releaseAll(teams: readonly Team[], tag: (service: string) => string, env: Record<string, string> = {}): Promise<void> {
  await Promise.all(
    teams.map(async (team) => {
      for (const service of services) await team.releases(service, { tag: tag(service), env });
    }),
  );
}

const each = <T>(teams: readonly Team[], act: (team: Team, service: string) => Promise<T>): Promise<T[]> =>
  Promise.all(teams.flatMap((team) => services.map((service) => act(team, service))));

test("a backend that everybody needs goes down during six releases: all are held, nothing is proposed until a person says so", async (context) => {
  let answer = 200;
  const backend = createServer((_, response) => response.writeHead(answer).end());
  await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
  context.onTestFinished(() => void backend.close());
  const env = { BACKEND_URL: `http://127.0.0.1:${(backend.address() as AddressInfo).port}` };
  const options = { services: Object.fromEntries(services.map((name) => [name, { env }])), canary: { stepWeight: 5 } };
  const teams = await Promise.all([here.aTeam(context, "outage-one", options), here.aTeam(context, "outage-two", options)]);

  await releaseAll(teams, () => "2", env);
  await each(teams, (team, service) => team.until(`${service} to get traffic`, () => (team.canary(service).canaryWeight ?? 0) > 0));
  answer = 500;
  for (const verdict of await each(teams, (team, service) => team.rolledBack(service))) expect(verdict).toContain("not the commit's fault");
  await each(teams, (team, service) => team.held(service, "1"));
  await each(teams, (team, service) => team.revertIs(service, "Planned", "NotTheCommitsFault"));
  for (const team of teams) expect([await team.pulls(), await team.revertBranches()]).toEqual([[], []]);

  answer = 200;
  const [first] = teams;
  const released = first?.revert("basket");
  if (!first || !released) throw new Error("the basket has no Revert");
  await first.releasesRevert(released);
  const pull = await first.pullRequest("basket");
  expect(pull.title).toContain("Release basket 2");
  expect((await first.pulls()).map(({ state }) => state)).toEqual(["open"]);
  await each(teams, async (team, service) => expect([service, team.revert(service)?.status.phase]).toEqual([service, team === first && service === "basket" ? "Proposed" : "Planned"]));
});

test("changes of six teams fail within minutes: that is a storm, said once, and what comes in it waits for a person", async (context) => {
  const names = ["ants", "bees", "crabs", "deer", "eels", "foxes"];
  const teams = await Promise.all(names.map((name) => here.aTeam(context, `storm-${name}`)));
  await Promise.all(teams.map((team) => team.releases("shop", "bad")));
  await Promise.all(teams.map((team) => team.rolledBack("shop")));
  await Promise.all(teams.map((team) => team.held("shop", "1")));
  const isStormy = (team: Team): boolean => team.ready(seen.revert, team.revert("shop")?.metadata.name ?? "").includes("Storm");
  // Those that failed before the third could not know of it yet.
  const settled = (team: Team): Promise<boolean> =>
    team.until("its revert to be proposed or held as a storm", () => isStormy(team) || team.revert("shop")?.status.phase === "Proposed");
  await Promise.all(teams.map(settled));
  const stormy = teams.filter(isStormy);
  expect(stormy.length).toBeGreaterThanOrEqual(4);
  for (const team of stormy) expect([await team.pulls(), await team.revertBranches()]).toEqual([[], []]);
  const events = (await Promise.all(teams.map((team) => team.warnings()))).flat().filter(({ reason }) => reason === "Storm");
  expect(events).toHaveLength(1);

  const [last] = stormy;
  const revert = last?.revert("shop");
  if (!last || !revert) throw new Error("no team is held as a storm");
  await last.releasesRevert(revert);
  expect((await last.pullRequest("shop")).title).toContain("Release shop bad");
  expect(stormy.slice(1).every(isStormy)).toBe(true);
});
