import { type CauseField, configAsWritten, type RevisionContent } from "../api/cause.ts";
import { canonicalJson, hashJson, sameJson } from "../lib/json.ts";
import { differences, formatPath, parsePath, type Step, valueAt } from "./path.ts";

/** What made a release differ from the promoted one. */
export interface Cause {
  readonly fields: CauseField[];
  /** Seven hex digits of a hash of the deciding fields: the same bad change always has the same. */
  readonly id: string;
}

/**
 * The fields in which the failed revision of a Deployment differs from the promoted one, and which of them decide
 * (design rule 1). `undefined` when nothing differs.
 * @param earlier revisions before, newest first: a field that changed in more than half of ten is a build stamp
 */
export function causeOf(
  deployment: string,
  promoted: RevisionContent,
  failed: RevisionContent,
  earlier: readonly RevisionContent[],
): Cause | undefined {
  const raw = [...templateFields(deployment, promoted, failed), ...configFields(promoted, failed)];
  if (raw.length === 0) return undefined;
  const runs = raw.filter(({ path }) => decidesWhatRuns(path));
  const own = raw.filter((field) => !isDerived(field) && !isStamp(field, [failed, ...earlier]));
  const deciding = new Set(runs.length > 0 ? runs : own.length > 0 ? own : raw);
  const fields = raw.map((field) => ({ ...field, decides: deciding.has(field) }));
  const changes = [...deciding].map(({ object, path, promoted: before, failed: after }) => [object, path, [before, after]]);
  const id = hashJson(changes).slice(0, 7);
  return { fields, id };
}

/** Whether two causes are of the same deciding fields with the same values: then they are one, whatever their ids are. */
export function isSameCause(one: readonly CauseField[], other: readonly CauseField[]): boolean {
  return sameJson(identityOf(one), identityOf(other));
}

function identityOf(fields: readonly CauseField[]): unknown[] {
  const deciding = fields.filter(({ decides }) => decides);
  return deciding.map(({ object, path, promoted, failed }) => canonicalJson([object, path, promoted ?? null, failed ?? null])).sort();
}

function templateFields(deployment: string, promoted: RevisionContent, failed: RevisionContent): CauseField[] {
  const root: Step[] = [{ field: "spec" }, { field: "template" }];
  return differences(promoted.template, failed.template, root).map(({ path, before, after }) => ({
    object: `Deployment/${deployment}`,
    path: formatPath(path),
    promoted: before,
    failed: after,
    decides: false,
  }));
}

/** Differences in configs that both revisions use by the same name. One that only one uses shows in the template. */
function configFields(promoted: RevisionContent, failed: RevisionContent): CauseField[] {
  const shared = Object.keys(failed.configs).filter((config) => promoted.configs[config] !== undefined).sort();
  return shared.flatMap((config) => {
    const secret = config.startsWith("Secret/");
    return differences(configAsWritten(promoted.configs[config]), configAsWritten(failed.configs[config]), []).map(
      ({ path, before, after }) => ({
        object: config,
        path: formatPath(path),
        promoted: before,
        failed: after,
        ...(secret ? { secret: true } : {}),
        decides: false,
      }),
    );
  });
}

/** Images, commands and arguments of containers: what a workload runs. */
function decidesWhatRuns(path: string): boolean {
  return /^spec\.template\.spec\.(initContainers|containers)\[[^\]]+\](\.(image|command|args))?$/.test(path);
}

/** Names with a generated hash and checksum annotations only follow what they were computed from. */
function isDerived({ path, promoted, failed }: CauseField): boolean {
  const last = parsePath(path).at(-1);
  if (last && "field" in last && last.field.startsWith("checksum/")) return true;
  return baseOfGenerated(promoted) !== undefined && baseOfGenerated(promoted) === baseOfGenerated(failed);
}

/** `app-config` of `app-config-6ft88t2625`, the names that kustomize generates. */
function baseOfGenerated(value: unknown): string | undefined {
  return typeof value === "string" ? /^(.+)-[bcdfghkmt2456789]{10}$/.exec(value)?.[1] : undefined;
}

/** Whether the field changed in more than half of the last ten revisions. */
function isStamp({ object, path }: CauseField, revisions: readonly RevisionContent[]): boolean {
  const values = revisions.slice(0, 11).map((revision) => hashJson(valueIn(revision, object, path) ?? null));
  const changes = values.filter((value, position) => position > 0 && value !== values[position - 1]);
  return changes.length > 5;
}

function valueIn(revision: RevisionContent, object: string, path: string): unknown {
  const config = revision.configs[object];
  return object.startsWith("Deployment/")
    ? valueAt({ spec: { template: revision.template } }, parsePath(path))
    : valueAt(configAsWritten(config), parsePath(path));
}
