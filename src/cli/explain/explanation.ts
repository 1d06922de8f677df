import { methodOf, stepsOf } from "../../api/analysis.ts";
import type { Canary } from "../../api/canary.ts";
import { keyOf } from "../../api/object.ts";
import type { ShareStatus } from "../../api/share-evidence.ts";
import { sparkline } from "../../lib/sparkline.ts";

/** What `serin explain` says of a Canary: why it stands where it stands, by which evidence, and what could not have been seen. Pure. */
export function explanationOf(canary: Canary): string {
  const { status, spec, metadata } = canary;
  const share = status.evidence;
  const way = `Judged by ${methodOf(spec.analysis)}, ${stepsOf(spec.analysis)} steps.`;
  const sections = [
    [`Canary ${keyOf(metadata)}: ${standing(canary)}`, ...revisions(canary), way],
    sentences(canary),
    checks(canary),
    share ? stepTable(share) : [],
    share ? visibility(share) : [],
  ];
  return `${sections.filter((lines) => lines.length > 0).map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function standing({ status: { phase = "Initializing", canaryWeight = 0, failure } }: Canary): string {
  if (phase === "Failed" && failure) return `Failed (${failure.reason}), rolled back from ${failure.weight} % at ${failure.failedAt}`;
  return canaryWeight > 0 ? `${phase}, ${canaryWeight} % of the traffic` : phase;
}

function revisions(canary: Canary): string[] {
  const { status } = canary;
  const line = (what: string, revision: string | undefined, commit: string | undefined): string[] =>
    revision === undefined ? [] : [`${what} ${revision}${commit === undefined ? "" : ` of commit ${commit.slice(0, 7)}`}`];
  return [
    ...line("Analysed:", status.trackedRevision, status.trackedCommit),
    ...line("Promoted:", status.promotedRevision, status.promotedCommit),
    ...inGit(canary),
  ];
}

/** What became of failed revisions in Git. */
function inGit({ metadata: { namespace = "default" }, status: { refused = [], revertRef } }: Canary): string[] {
  const held = refused.filter(({ declined, revert }) => declined !== true && revert !== revertRef);
  const seeIt = `kubectl -n ${namespace} get revert ${revertRef} shows its pull request`;
  return [
    ...(revertRef === undefined ? [] : [`Revert:   ${revertRef}; ${seeIt}`]),
    ...held.map(({ revert, revision = "one" }) => `Refused:  ${revision}, which failed: held when a commit brings it back (Revert ${revert})`),
  ];
}

function sentences({ status: { failure, evidence } }: Canary): string[] {
  const said = [...(failure ? [failure.message] : []), ...(evidence ? [evidence.message] : [])];
  if (said.length === 0) return ["Nothing was measured of this revision yet."];
  const own = evidence?.acts === false && evidence.verdict === "fail" ? ["Method share would have rolled it back."] : [];
  return [...new Set(said)].map((sentence) => `${sentence}.`).concat(own);
}

function checks({ status }: Canary): string[] {
  const lines = (status.checks ?? []).map(({ verdict, message }) => `  ${verdict.padEnd(12)} ${message}`);
  return lines.length === 0 ? [] : ["Checks:", ...lines];
}

function stepTable({ steps, limit, peak, acts }: ShareStatus): string[] {
  if (steps.length === 0) return [];
  const side = ({ requests, bad }: ShareStatus["steps"][number]["canary"]) => `${Math.round(requests)}, ${Math.round(bad)} failed`;
  const rows = steps.map((step) => [`${step.weight} %`, step.from, side(step.canary), side(step.stable), String(step.evidence)]);
  const line = sparkline(steps.map((step) => step.evidence), limit);
  const end = acts ? `at ${limit} a release is rolled back` : `with method share it would be rolled back at ${limit}`;
  return [...table([["weight", "from", "canary's requests", "primary's", "evidence"], ...rows]), `Evidence ${line}, ${peak} at most; ${end}.`];
}

/** Columns as wide as what is in them. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()}`);
}

function visibility({ baseline, visible, needed, dispersion, dispersionMeasured, source }: ShareStatus): string[] {
  const clumps = dispersionMeasured
    ? `The primary's errors come in clumps of ${dispersion}, as measured between its pods.`
    : `Errors are taken to come in clumps of ${dispersion}: the primary's pods cannot be told apart.`;
  return [
    visible === undefined
      ? "So far only a release that fails nearly always could have been seen."
      : `So far an error rate of ${visible} % or more could have been seen, and nothing less; the primary's is ${baseline} %.`,
    ...needed.map(({ times, requests, seconds }) => `  ${`${times} times the primary's:`.padEnd(24)}${toFind(requests, seconds)}`),
    clumps,
    `Requests are counted by ${source}.`,
  ];
}

function toFind(requests: number | undefined, seconds: number | undefined): string {
  if (requests === undefined) return "never found, it is within what is tolerated";
  return `${requests} canary requests${seconds === undefined ? "" : `, ${spoken(seconds)} at its traffic of now`}`;
}

function spoken(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}
