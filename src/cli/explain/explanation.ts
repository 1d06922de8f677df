import { methodOf, stepsOf } from "../../api/analysis.ts";
import type { Canary, CanaryPhase } from "../../api/canary.ts";
import { keyOf } from "../../api/object.ts";
import { counted } from "../../canary/steps.ts";
import { uncapitalised } from "../../lib/text.ts";
import { groundLines, stepLines } from "./evidence-text.ts";
import { standingOf } from "./standing.ts";

/** What `serin explain` says of a Canary: why it stands where it stands, by which evidence, and what could not have been seen. Pure. */
export function explanationOf(canary: Canary): string {
  const { status, spec, metadata } = canary;
  const share = status.evidence;
  const tense = { isOver: isOver(status) };
  const way = `Judged by ${methodOf(spec.analysis)}, ${stepsOf(spec.analysis)} steps.`;
  const sections = [
    [`Canary ${keyOf(metadata)}: ${standingOf(canary)}`, ...revisions(canary), way],
    sentences(canary),
    checks(canary),
    share ? stepLines(share, tense) : [],
    share ? groundLines(share, tense) : [],
  ];
  return `${sections.filter((lines) => lines.length > 0).map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

const beforeTraffic: ReadonlySet<CanaryPhase> = new Set(["Initializing", "Waiting"]);

/** Whether what was counted of the tracked revision is all that ever will be. */
function isOver({ phase = "Initializing" }: Canary["status"]): boolean {
  return !counted.has(phase) && !beforeTraffic.has(phase);
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
function inGit(canary: Canary): string[] {
  const { refused = [], revertRef, conditions = [] } = canary.status;
  const held = refused.filter(({ declined, revert }) => declined !== true && revert !== revertRef);
  const impossible = conditions.find(({ type, status }) => type === "RevertNotPossible" && status === "True");
  return [
    ...(revertRef === undefined ? [] : [`Revert:   ${revertRef}; ${whereToSee(canary, revertRef)}`]),
    ...(impossible ? [`Revert:   not possible: ${impossible.message}`] : []),
    ...held.map(({ revert, revision = "one" }) => `Refused:  ${revision}, which failed: held when a commit brings it back (Revert ${revert})`),
  ];
}

function whereToSee({ metadata: { namespace = "default" }, spec, status: { failure } }: Canary, revert: string): string {
  const command = `kubectl -n ${namespace} get revert ${revert} shows`;
  if (failure?.propose === false) return `${command} how it stands; it may not be the commit's fault, so nothing is proposed`;
  return spec.revert.strategy === "PullRequest" ? `${command} its pull request` : `${command} how it stands`;
}

function sentences({ status }: Canary): string[] {
  const { failure, evidence, checks: measured = [] } = status;
  const said = [...(failure ? [failure.message] : []), ...(evidence ? [lastWord(evidence, { failure, isOver: isOver(status) })] : [])];
  if (said.length === 0) return measured.length > 0 ? [] : [`Nothing was measured of this revision${isOver(status) ? "" : " yet"}.`];
  const own = evidence?.acts === false && evidence.verdict === "fail" ? ["Method share would have rolled it back."] : [];
  return [...new Set(said)].map((sentence) => `${sentence}.`).concat(own);
}

/** What ends a rollout says so itself. Anything else was only so when it ended. */
const last: ReadonlySet<string> = new Set(["EvidenceAgainst", "GoodEnough"]);

function lastWord(
  { reason, message }: NonNullable<Canary["status"]["evidence"]>,
  { failure, isOver: over }: { failure: Canary["status"]["failure"]; isOver: boolean },
): string {
  if (!over || last.has(reason) || message === failure?.message) return message;
  return `When it ended: ${uncapitalised(message)}`;
}

function checks({ status }: Canary): string[] {
  const lines = (status.checks ?? []).map(({ verdict, message }) => `  ${verdict.padEnd(12)} ${message}`);
  return lines.length === 0 ? [] : ["Checks:", ...lines];
}
