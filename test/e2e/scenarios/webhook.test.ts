import { expect, test } from "vitest";
import { seen } from "../sight.ts";
import { stage } from "../story.ts";

const here = stage();

test("with a webhook instead of polls a release, its revert and the merge of that all arrive at once", async (context) => {
  const team = await here.aTeam(context, "webhook", { interval: "10h" });
  await team.applies({ apiVersion: "v1", kind: "Secret", metadata: { name: "hook" }, stringData: { token: "s3cret" } });
  await team.patches(seen.repository, "apps", { spec: { webhook: { secretRef: { name: "hook" } } } });
  const config = { url: `${here.controller.url}/hooks/${team.namespace}/apps`, content_type: "json", secret: "s3cret" };
  const hook = await team.api("POST", "/hooks", { type: "gitea", active: true, events: ["push", "create", "delete"], config });
  expect(hook.status).toBe(201);

  const bad = await team.releases("shop", "bad");
  await team.until("the commit to be applied", () => (team.sync().revision ?? "").includes(bad));
  await team.rolledBack("shop");
  const pull = await team.pullRequest("shop");
  await team.merges(pull);
  await team.revertIs("shop", "Merged");
  await team.nothingHeld();
  await team.releases("shop", "2");
  await team.promoted("shop", "2");
});
