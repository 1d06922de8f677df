import { apiVersion } from "../../api/meta.ts";
import type { CanaryDefaults } from "../../controllers/canary/deps.ts";
import { createJudge } from "./admission.ts";
import { lintCanaries } from "./canaries.ts";
import { createFindings } from "./findings.ts";
import { MisuseError } from "../misuse.ts";
import { type InputText, readInputs } from "./files.ts";
import { givenCluster } from "./given.ts";
import { isOurs, namesakesIn, objectsIn } from "./objects.ts";
import { lintOthers } from "./others.ts";
import { lineOfText, type Problem } from "./problem.ts";

/** What `serin lint` found. */
export interface LintResult {
  readonly problems: readonly Problem[];
  /** Objects of ours that were looked at. */
  readonly checked: number;
  /** Objects of other kinds, read only where ours name them. */
  readonly passedOver: number;
  /** Kinds of these that have the names of ours. */
  readonly namesakes: readonly string[];
  /** Objects that are named, of which the files cannot say whether they exist. */
  readonly unchecked: readonly string[];
}

/** How the files are looked at. */
interface LintOptions {
  /** What the controller is started with that will see them. */
  readonly defaults: CanaryDefaults;
  /** Of objects that name none. */
  readonly namespace: string;
}

/** Says all that is wrong with these manifests, without a cluster, in the words of the API server and of the controllers. */
export async function lint(texts: readonly InputText[], { defaults, namespace }: LintOptions): Promise<LintResult> {
  const { objects, problems: unreadable } = objectsIn(texts, namespace);
  const ours = objects.filter(({ object }) => isOurs(object));
  const judge = createJudge();
  const refused = ours.flatMap((given) => judge(given));
  const findings = createFindings();
  const linted = { findings, objects, cluster: givenCluster(objects.map(({ object }) => object)), defaults };
  await lintOthers(linted);
  await lintCanaries(linted);
  const problems = [...unreadable, ...refused, ...findings.problems].sort(byPlace);
  const namesakes = namesakesIn(objects.map(({ object }) => object));
  const unchecked = [...findings.unchecked].sort();
  return { problems, checked: ours.length, passedOver: objects.length - ours.length, namesakes, unchecked };
}

function byPlace(a: Problem, b: Problem): number {
  return a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1;
}

/** What `serin lint` is called with. */
export interface LintCommand extends LintOptions {
  /** Files, folders, or `-` for standard input. */
  readonly paths: readonly string[];
  readonly json: boolean;
  readonly stdin: AsyncIterable<Buffer>;
  readonly output: { write(text: string): unknown };
  /** For what is no result. */
  readonly notes: { write(text: string): unknown };
}

/** Runs `serin lint`. Returns what the process exits with: 0 all is well, 1 problems, 2 it was called wrongly. */
export async function lintCommand({ paths, json, stdin, output, notes, ...options }: LintCommand): Promise<number> {
  let texts: InputText[];
  try {
    if (paths.length === 0) throw new MisuseError("name files or folders, or - for standard input");
    texts = await readInputs(paths, stdin);
  } catch (error) {
    if (!(error instanceof MisuseError)) throw error;
    notes.write(`serin: ${error.message}\nserin lint --help says what there is.\n`);
    return 2;
  }
  const result = await lint(texts, options);
  if (json) output.write(`${JSON.stringify(result, undefined, 2)}\n`);
  else {
    for (const problem of result.problems) output.write(`${lineOfText(problem)}\n`);
    notes.write(`${summaryOf(result)}\n`);
  }
  return result.problems.length > 0 ? 1 : 0;
}

const askDefaults = new Set(["ProviderMissing", "MetricsServerMissing"]);

/** Whether a problem is only that the controller's own defaults were not given. */
export function isOfDefaults({ reason }: Problem): boolean {
  return askDefaults.has(reason ?? "");
}

function summaryOf({ problems, checked, passedOver, namesakes, unchecked }: LintResult): string {
  const files = new Set(problems.map(({ file }) => file)).size;
  const found = problems.length === 0 ? "no problems" : `${count(problems.length, "problem")} in ${count(files, "file")}`;
  const others = passedOver === 0 ? "" : `, ${count(passedOver, "object")} of other kinds passed over`;
  const outside = unchecked.length === 0 ? "" : `; not checked, as it is not in these files: ${unchecked.join(", ").replaceAll(" is not in the files", "")}`;
  const hint = problems.some(isOfDefaults) ? "\nGive the controller's own defaults with --mesh-provider and --metrics-server." : "";
  const meant = checked > 0 || namesakes.length === 0 ? "" : `\nNot ours: ${namesakes.join(", ")}; Serin's have apiVersion ${apiVersion}.`;
  return `${found}; ${count(checked, "object")} checked${others}${outside}${hint}${meant}`;
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}
