import type { Load, LoadSnapshot } from "../../sandbox/load/load.ts";
import { changeLine, picture, ratesLine, type Sample, type VersionRate } from "./picture.ts";
import type { Screen } from "./screen.ts";
import type { View } from "./view.ts";

const tickMs = 200;
const rateMs = 1_000;
const kept = 120;

/** Who tells what happens while it happens. */
export interface Narrator {
  /** Tells what changed since it last looked. It looks by itself a few times a second; call it so that a line of yours comes after. */
  look(): void;
  /** From now on also what becomes of Reverts and Syncs, which the story tells in its own words. */
  tellAll(): void;
  stop(): void;
}

interface Moment {
  readonly at: number;
  readonly load: LoadSnapshot;
}

/** Tells every change of weight and phase as it happens, and draws shares and rates with a short history below. */
export function narrate({ screen, view, load, nowMs }: { screen: Screen; view: View; load: Load; nowMs: () => number }): Narrator {
  let [told, said] = ["", new Set<string>()];
  let from: Moment = { at: nowMs(), load: load.snapshot() };
  let window: [Moment, Moment] = [from, from];
  let all = false;
  const samples: Sample[] = [];
  const look = () => {
    const now = { at: nowMs(), load: load.snapshot() };
    const due = now.at - from.at >= rateMs;
    if (due) [window, from] = [[from, now], now];
    const sample = sampleOf(view, window, now.load);
    if (!sample) return;
    // One column of the history a second; the newest one is drawn as it moves.
    if (due || samples.length === 0) samples.push(sample);
    else samples[samples.length - 1] = sample;
    if (samples.length > kept) samples.shift();
    const what = `${sample.phase} ${sample.weight}`;
    if (what !== told) screen.say(changeLine(sample).padEnd(42), ratesLine(sample));
    told = what;
    const lines = news(view);
    if (all) for (const line of lines) if (!said.has(line)) screen.say(line);
    said = new Set(lines);
    screen.live((width) => picture(samples, width));
  };
  const timer = setInterval(look, tickMs);
  return { look, tellAll: () => void (all = true), stop: () => clearInterval(timer) };
}

function sampleOf(view: View, [before, now]: [Moment, Moment], { sent, failed, lost }: LoadSnapshot): Sample | undefined {
  const canary = view.canary();
  if (!canary) return undefined;
  const running = canary.weight > 0 || ["Progressing", "WaitingPromotion", "Promoting"].includes(canary.phase);
  const rate = (version: string) => rateOf(version, before, now);
  return {
    phase: canary.phase,
    weight: canary.weight,
    primary: rate(tagOf(view.image("shop-primary"))),
    canary: running ? rate(tagOf(view.image("shop"))) : undefined,
    sent,
    lost: failed + lost,
  };
}

function tagOf(image: string | undefined): string {
  return image?.split(":").at(-1) ?? "";
}

/** What one version answered between two moments. */
function rateOf(version: string, before: Moment, now: Moment): VersionRate {
  const none = { answered: 0, failed: 0 };
  const [then, since] = [before.load.versions.get(version) ?? none, now.load.versions.get(version) ?? none];
  const [answered, failed] = [since.answered - then.answered, since.failed - then.failed];
  const elapsedMs = Math.max(1, now.at - before.at);
  return { version, perSecond: (answered / elapsedMs) * 1_000, errors: answered === 0 ? 0 : (failed / answered) * 100 };
}

/** What is worth a line beside the canary itself. */
function news(view: View): string[] {
  const [revert, sync] = [view.revert(), view.sync()];
  const holding = sync?.revision?.split(" holding ")[1];
  return [
    ...(revert && revert.phase !== "" ? [`revert ${revert.name}: ${revert.phase}; ${revert.pullRequest ?? revert.message}`] : []),
    ...(sync?.ready === "False" ? [`sync apps is not ready: ${sync.message}`] : []),
    holding ? `the Sync ships what Git says, holding ${holding} back` : "the Sync ships what Git says, holding nothing back",
  ];
}
