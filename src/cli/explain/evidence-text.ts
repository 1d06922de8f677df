import type { RunEvidence } from "../../analysis/follow.ts";
import { percent } from "../../analysis/sentences.ts";
import { slowDispersion } from "../../analysis/share.ts";
import type { ShareStatus } from "../../api/share-evidence.ts";
import { evidenceLine, evidenceText, shareTable, slowMeaning, slowSum } from "../../api/share-table.ts";
import { capitalised, inColumns } from "../../lib/text.ts";

/** What was counted in each step, and the evidence of it, as lines. Pure. */
export function stepLines(share: ShareStatus, { isOver }: { isOver: boolean }): string[] {
  if (share.steps.length === 0) return [];
  const { limit, peak, acts } = share;
  const meaning = slowMeaning(share);
  const ours = isOver ? "with method share it would have been rolled back at" : "with method share it would be rolled back at";
  const end = acts ? `at ${limit} a release is rolled back` : `${ours} ${limit}`;
  return [
    ...inColumns(shareTable(share)),
    ...(meaning === undefined ? [] : [sentence(meaning)]),
    `Evidence ${evidenceLine(share)}, highest ${evidenceText(peak)}; ${end}.`,
  ];
}

/** Evidence, and whose metrics it was counted from. */
type Ground = RunEvidence & Pick<ShareStatus, "source">;

/** What the evidence rests on and what it could not have shown, as lines; where latency decided that is of latency. Pure. */
export function groundLines(share: Ground, { isOver }: { isOver: boolean }): string[] {
  const tense = isOver ? past : present;
  const ground = share.against === "latency" ? latencyLines(share, tense) : errorLines(share, tense);
  return [...ground, `Requests ${tense.are} counted by ${share.source}.`];
}

interface Tense {
  readonly soFar: string;
  readonly is: string;
  readonly are: string;
  readonly come: string;
  readonly cannot: string;
  readonly never: string;
  readonly found: string;
  readonly traffic: string;
}

const present: Tense = {
  soFar: "so far ",
  is: "is",
  are: "are",
  come: "come",
  cannot: "cannot",
  never: "is never found",
  found: "is found after",
  traffic: "its traffic of now",
};
const past: Tense = {
  soFar: "",
  is: "was",
  are: "were",
  come: "came",
  cannot: "could not",
  never: "would never have been found",
  found: "would have been found after",
  traffic: "the traffic it had",
};

function latencyLines(share: Ground, { are }: Tense): string[] {
  const { canary, stable } = slowSum(share);
  const part = ({ requests, bad }: typeof canary) => percent(bad / Math.max(requests, 1));
  const ofCanary = `${part(canary)} of the canary's ${Math.round(canary.requests)} requests`;
  return [
    `Slow ${are} ${ofCanary} and ${part(stable)} of the primary's ${Math.round(stable.requests)}.`,
    `Slow requests ${are} taken to come in clumps of ${slowDispersion}.`,
  ];
}

function errorLines(share: Ground, tense: Tense): string[] {
  const { baseline, baselineOf, dispersion, dispersionMeasured } = share;
  // Many times nothing is nothing.
  const needed = baselineOf?.bad === 0 && baselineOf.requests > 0 ? [] : share.needed;
  const rows = needed.map(({ times, ...cost }): [string, string] => [
    `  ${times} times as often, ${percent(Math.min((times * baseline) / 100, 1))}:`,
    toFind(cost, tense),
  ]);
  const width = Math.max(...rows.map(([worse]) => worse.length));
  const clumps = dispersionMeasured
    ? `The primary's errors ${tense.come} in clumps of ${dispersion}, as measured between its pods.`
    : `Errors ${tense.are} taken to come in clumps of ${dispersion}: the primary's pods ${tense.cannot} be told apart.`;
  return [
    sentence(visibleSaid(share, tense)),
    `${baselineSaid(share, tense)}${rows.length > 0 ? " A release that fails" : ""}`,
    ...rows.map(([worse, found]) => `${worse.padEnd(width)}  ${found}`),
    clumps,
  ];
}

function visibleSaid({ visible, steps }: Ground, { soFar }: Tense): string {
  if (steps.every(({ canary }) => canary.requests === 0)) return `${soFar}nothing could have been seen: the canary had no request`;
  if (visible === undefined) return `${soFar}only a release that fails nearly always could have been seen`;
  return `${soFar}an error rate of ${percent(visible / 100)} or more could have been seen, and nothing less`;
}

/** The primary's rate is an estimate, and sometimes not even that. */
function baselineSaid({ baseline, baselineOf }: Ground, { is, are }: Tense): string {
  const rate = percent(baseline / 100);
  if (!baselineOf) return `The primary's ${is} about ${rate}.`;
  const requests = Math.round(baselineOf.requests);
  if (requests === 0) return `Of the primary's requests nothing ${is} known: as the SLO allows, ${rate} ${are} taken to fail.`;
  if (baselineOf.bad === 0) return `The primary failed none of ${requests} requests.`;
  return `The primary's ${is} about ${rate}, by ${requests} requests.`;
}

function toFind({ requests, seconds }: Omit<ShareStatus["needed"][number], "times">, { never, found, traffic }: Tense): string {
  if (requests === undefined) return `${never}, that is within what is tolerated`;
  return `${found} ${requests} canary requests${seconds === undefined ? "" : `, ${spoken(seconds)} at ${traffic}`}`;
}

function spoken(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}

function sentence(text: string): string {
  return `${capitalised(text)}.`;
}
