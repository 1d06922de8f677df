import { expect, test } from "vitest";
import { deployment, type Files, type ServiceOptions } from "../e2e/manifests.ts";
import { proved, timed } from "../e2e/outcome.ts";
import { stage } from "../e2e/story.ts";
import { expectNoneFailed } from "../e2e/team.ts";
import { seen } from "../e2e/sight.ts";

const here = stage();
const services = Array.from({ length: 100 }, (_, at) => `s${String(at).padStart(2, "0")}`);
/** Two cores tell the gateway late which pods have gone: as with any rolling update these must answer until it has heard. */
const ofAll: ServiceOptions = { preStopSeconds: 15 };
const isBad = (service: string): boolean => service.endsWith("7");

/** Two cores have a gateway, a hundred services and their users to serve: they may take longer than one release does. */
async function patiently(wait: () => Promise<unknown>): Promise<void> {
  await wait().catch(wait).catch(wait);
}

test("a hundred canaries at once by one commit, ten of them bad: ten go back, ninety are promoted without a failed request", async (context) => {
  const team = await here.aTeam(context, "hundred", { services: Object.fromEntries(services.map((name) => [name, ofAll])), traffic: 2 });
  const files: Files = Object.fromEntries(
    services.map((name) => [`apps/${name}.yaml`, deployment(name, { ...ofAll, tag: isBad(name) ? "bad" : "2" })]),
  );
  await team.ada.push("Release everything", files);
  const good = services.filter((name) => !isBad(name));
  const rightAgainMs = await timed(async () => {
    await Promise.all(services.filter(isBad).map((name) => patiently(() => team.rolledBack(name))));
    await Promise.all(good.map((name) => patiently(() => team.promoted(name, "2"))));
  });
  for (const name of good) expectNoneFailed(team.users(name));
  expect(team.list(seen.revert).map(({ metadata }) => metadata.name.replace(/-[0-9a-f]+$/, "")).sort()).toEqual(services.filter(isBad));
  proved({ fault: "100 canaries started by one commit, 10 bad; pods with a `preStop` sleep", meanwhile: "each is judged by itself", after: "10 rolled back, 90 promoted, no failed request of these", rightAgainMs });
});
