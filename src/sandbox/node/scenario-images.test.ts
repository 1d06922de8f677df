import { expect, test } from "vitest";
import type { Program, ProgramContext } from "./images.ts";
import { scenarioImages } from "./scenario-images.ts";

test("an idle container that is asked to stop while it is being started ends all the same", async () => {
  const idle = scenarioImages().find("serin.dev/idle:1") as Program;
  const { alone } = await idle({ signal: AbortSignal.abort() } as ProgramContext);
  await expect(alone?.ended).resolves.toBeUndefined();
});
