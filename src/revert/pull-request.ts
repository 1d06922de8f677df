import type { CauseField, Evidence } from "../api/cause.ts";
import { evidenceLine, shareTable, slowMeaning } from "../api/share-table.ts";
import { capitalised } from "../lib/text.ts";
import { type Impact, shown } from "./impact.ts";

/** What a pull request tells of one commit. */
export interface CommitFacts {
  readonly oid: string;
  readonly subject: string;
  readonly author: string;
  readonly time: string;
}

/** Everything that a pull request says. */
export interface Proposal {
  readonly cluster: string;
  /** `namespace/name`. */
  readonly canary: string;
  readonly sync: string;
  /** Name of the Revert, in the canary's namespace. */
  readonly revert: string;
  readonly cause: readonly CauseField[];
  readonly evidence: Evidence | undefined;
  readonly commits: readonly CommitFacts[];
  readonly bystanders: readonly CommitFacts[];
  /** Files of which a part is undone, e.g. `apps/shop.yaml (hunk 2 of 3)`. */
  readonly undone: readonly string[];
  /** Files of the same commits that stay as they are. */
  readonly stays: readonly string[];
  readonly impacts: readonly Impact[];
  /** Fields of the Canary itself that changed between the promoted and the failed revision (design rule 10). */
  readonly canaryChanges: readonly string[];
}

/** The pull request's title: one line that says what and why. */
export function pullRequestTitle({ canary, commits }: Proposal): string {
  const [newest] = commits;
  const name = canary.slice(canary.indexOf("/") + 1);
  const more = commits.length > 1 ? ` and ${commits.length - 1} more` : "";
  return `Revert "${clip(newest?.subject ?? "a change")}"${more}: ${name} failed its canary`;
}

/** The pull request's text, Markdown. Holds no value of a Secret (design rule 10). */
export function pullRequestBody(proposal: Proposal): string {
  const sections = [
    ...canarySection(proposal),
    intro(proposal),
    evidenceSection(proposal),
    shareSection(proposal),
    causeSection(proposal),
    commitSection(proposal),
    impactSection(proposal),
    closingSection(proposal),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

/** What the pull request is told of a later commit that changes the held workload (design rule 2). Markdown. */
export function changeComment(canary: string, commit: CommitFacts): string {
  const what = `${commit.oid} ${escape(clip(commit.subject))}, by ${escape(commit.author)}`;
  return `${what}, changes ${code(canary)} too. It ships on top of the promoted values, without what is held back here. If this is meant as the fix, close this pull request.`;
}

/** What the pull request is told when it cannot be merged and not be made anew either. Markdown. */
export function conflictComment(why: string): string {
  return `This no longer merges, and Serin cannot make it anew: ${escape(why)}. The change is held back in the cluster all the same. Resolve the conflict here, push a fix, or close this pull request to let the change out.`;
}

function canarySection({ canaryChanges }: Proposal): string[] {
  if (canaryChanges.length === 0) return [];
  return [`> **The Canary itself changed in between:** ${canaryChanges.map(code).join(", ")}. Read its verdict with that in mind.`];
}

function intro({ canary, cluster, sync }: Proposal): string {
  return `The release of ${code(canary)} on cluster ${code(cluster)} was rolled back. Until this is decided, Sync ${code(sync)} holds the change back; everything else ships as usual.`;
}

function evidenceSection({ evidence }: Proposal): string {
  if (!evidence) return "";
  const facts = `At ${evidence.weight} % of the traffic, ${evidence.failedAt}: ${escape(evidence.sentence)}`;
  const rows = (evidence.checks ?? []).map((check) => `| ${code(check.name)} | ${measured(check, check.value)} | ${measured(check, check.primary)} | ${wanted(check)} | ${check.passed ? "passed" : "**failed**"} |`);
  const table = rows.length > 0 ? `\n\n| Check | Canary | Primary | Wanted | |\n|---|---|---|---|---|\n${rows.join("\n")}` : "";
  return `### What failed\n${facts}${table}`;
}

/** Each step's traffic and what was bad of it on both sides, and the evidence by its end. */
function shareSection({ evidence }: Proposal): string {
  const share = evidence?.share;
  if (!share || share.steps.length === 0) return "";
  const { limit, acts } = share;
  const meaning = acts ? `at ${limit} a release is rolled back` : `with method share it would have been rolled back at ${limit}`;
  const sentences = [`Evidence ${code(evidenceLine(share))}; ${meaning}`, slowMeaning(share)].filter((each) => each !== undefined);
  const [head = [], ...rows] = shareTable(share);
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const lines = [row(head.map(capitalised)), `|${"---|".repeat(head.length)}`, ...rows.map(row)];
  return `### Step by step\n${sentences.map((each) => `${capitalised(each)}.`).join(" ")}\n\n${lines.join("\n")}`;
}

function causeSection({ cause }: Proposal): string {
  const row = (field: CauseField) => {
    const values = field.secret ? "| changed | changed |" : `| ${code(shown(field.promoted))} | ${code(shown(field.failed))} |`;
    return `| ${code(`${field.object} ${field.path}`)} ${values} ${field.decides ? "yes" : "follows"} |`;
  };
  const rows = cause.slice(0, 50).map(row);
  const more = cause.length > 50 ? `\n\n… and ${cause.length - 50} more.` : "";
  return `### The cause\n| Field | Promoted | Failed | Decides |\n|---|---|---|---|\n${rows.join("\n")}${more}`;
}

function commitSection({ commits, bystanders, undone, stays }: Proposal): string {
  const line = ({ oid, subject, author, time }: CommitFacts) => `- ${oid} ${escape(clip(subject))}, by ${escape(author)}, ${time}`;
  const parts = [`### What is undone\n${commits.map(line).join("\n")}`];
  if (undone.length > 0) parts.push(`Of these, only what the canary needs:\n${undone.map((file) => `- ${code(file)}`).join("\n")}`);
  if (stays.length > 0) parts.push(`What else they changed stays:\n${stays.slice(0, 50).map((file) => `- ${code(file)}`).join("\n")}`);
  if (bystanders.length > 0) parts.push(`These came in between and stay:\n${bystanders.slice(0, 50).map(line).join("\n")}`);
  return parts.join("\n\n");
}

function impactSection({ impacts }: Proposal): string {
  const moved = impacts.filter(({ changes }) => changes.length > 0);
  if (moved.length === 0) return "### What merging changes in the cluster\n**Nothing.** The cluster runs this already.";
  const lines = moved.flatMap(({ sync, changes }) => [
    `In Sync ${code(sync)}:`,
    ...changes.slice(0, 100).map(({ object, change, fields }) => `- ${change === "deleted" ? "**deleted**" : change}: ${code(object)}${fieldList(fields)}`),
  ]);
  return `### What merging changes in the cluster\n${lines.join("\n")}`;
}

function fieldList(fields: Impact["changes"][number]["fields"]): string {
  return fields.slice(0, 20).map(({ path, from, to }) => `\n  - ${code(path)}: ${code(from)} → ${code(to)}`).join("");
}

function closingSection({ revert, canary, sync }: Proposal): string {
  const namespace = canary.slice(0, canary.indexOf("/"));
  return [
    "### What you can do",
    "- **Merge** (by any button): Git says again what the cluster runs.",
    "- **Close**: the change goes out as it is and is tried once more as a canary. If it fails again it is held, and no second pull request is opened.",
    "- **Push a fix**: when the failed fields get other values, this is closed by itself and the fix is analysed.",
    "",
    `Look inside: \`kubectl -n ${namespace} describe revert ${revert}\`, Sync ${code(sync)}.`,
  ].join("\n");
}

type EvidenceCheck = NonNullable<Evidence["checks"]>[number];

/** Rounded, but never to the other side of what is wanted. */
function measured(check: EvidenceCheck, value: number | undefined): string {
  if (value === undefined) return "–";
  const digits = [4, 6, 8, 12].find((count) => isGood(check, Number(value.toPrecision(count))) === isGood(check, value));
  return withUnit(check, digits === undefined ? value : Number(value.toPrecision(digits)));
}

function isGood({ min = -Infinity, max = Infinity }: EvidenceCheck, value: number): boolean {
  return value >= min && value <= max;
}

function wanted(check: EvidenceCheck): string {
  const { min, max } = check;
  if (min !== undefined && max !== undefined) return `${min} to ${withUnit(check, max)}`;
  if (min !== undefined) return `at least ${withUnit(check, min)}`;
  return max === undefined ? "–" : `at most ${withUnit(check, max)}`;
}

function withUnit({ unit }: EvidenceCheck, value: number): string {
  return unit === undefined ? String(value) : `${value} ${unit}`;
}

/** Text as inline code, whatever it holds. */
function code(text: string): string {
  return `\`${text.replaceAll("`", "'").replaceAll("|", "\\|").replaceAll("\n", " ")}\``;
}

/** Text from outside cannot become Markdown, HTML or a mention. */
function escape(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll("\n", " ")
    .replace(/[\\`*_[\]|#~]/g, "\\$&")
    .replaceAll("@", "@\u200b");
}

function clip(text: string): string {
  return text.length > 72 ? `${text.slice(0, 71)}…` : text;
}
