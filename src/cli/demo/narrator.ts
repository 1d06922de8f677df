import type { Load, LoadSnapshot } from "../../sandbox/load/load.ts";
import { type Screen, weightBar } from "./screen.ts";
import type { View } from "./view.ts";

const tickMs = 100;

/** Tells every change of weight and phase as it happens, and draws rates below. Returns the way to stop. */
export function narrate({ screen, view, load }: { screen: Screen; view: View; load: Load }): () => void {
  let told = "";
  let before: { at: number; snapshot: LoadSnapshot } = { at: performance.now(), snapshot: load.snapshot() };
  let rates = "";
  const tick = () => {
    const now = { at: performance.now(), snapshot: load.snapshot() };
    if (now.at - before.at >= 1_000) {
      rates = ratesOf(before.snapshot, now.snapshot, now.at - before.at);
      before = now;
    }
    const canary = view.canary();
    if (!canary) return;
    const line = `${weightBar(canary.weight)}  ${canary.phase}`;
    if (line !== told) screen.say(`${line}${rates === "" ? "" : `   ${rates}`}`);
    told = line;
    screen.live(`${weightBar(canary.weight)}  ${canary.phase}   ${rates}`);
  };
  const timer = setInterval(tick, tickMs);
  return () => clearInterval(timer);
}

function ratesOf(before: LoadSnapshot, now: LoadSnapshot, elapsedMs: number): string {
  const perSecond = ((now.answered - before.answered) / elapsedMs) * 1_000;
  const failed = now.failed + now.lost - before.failed - before.lost;
  const answered = Math.max(1, now.answered - before.answered);
  return `${perSecond.toFixed(0)} req/s, ${((failed / answered) * 100).toFixed(1)} % errors`;
}
