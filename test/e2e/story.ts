import { afterAll, beforeAll, type TestContext } from "vitest";
import type { Controller, ControllerOptions } from "./controller.ts";
import { openPlace, type Place, type PlaceOptions } from "./place.ts";
import { type Eyes, openEyes } from "./sight.ts";
import { leave, startTeam, type Team, type TeamOptions } from "./team.ts";

/** Where a file of scenarios takes place. */
export interface Stage {
  readonly place: Place;
  readonly controller: Controller;
  /** Starts a team whose services run and have users. What it had goes at the end of the test whose context is given. */
  aTeam(test: TestContext, name: string, options?: TeamOptions): Promise<Team>;
}

/** Opens the place before the tests of this file and closes it after them. One controller works for all of them. */
export function stage(options: ControllerOptions = {}, placeOptions: PlaceOptions = {}): Stage {
  let open: { place: Place; controller: Controller; eyes: Eyes } | undefined;
  const leaving: Promise<void>[] = [];
  const now = (): NonNullable<typeof open> => {
    if (!open) throw new Error("the stage is not open yet");
    return open;
  };
  beforeAll(async () => {
    const place = await openPlace(placeOptions);
    try {
      open = { place, controller: await place.startController(options), eyes: await openEyes(place) };
    } catch (error) {
      await place.close();
      throw error;
    }
  }, 120_000);
  afterAll(async () => {
    await Promise.all(leaving);
    await open?.place.close();
  }, 120_000);
  return {
    get place() {
      return now().place;
    },
    get controller() {
      return now().controller;
    },
    aTeam: async ({ onTestFinished }, name, teamOptions) => {
      const life = new AbortController();
      const team = await startTeam({ ...now(), name, signal: life.signal }, teamOptions);
      onTestFinished(() => {
        life.abort(new Error("the scenario is over"));
        leaving.push(leave(team));
      });
      return team;
    },
  };
}
