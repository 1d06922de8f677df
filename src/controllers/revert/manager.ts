import type { CauseField } from "../../api/cause.ts";
import { managers } from "../../api/meta.ts";
import type { KubeObject, ManagedFields } from "../../api/object.ts";
import { child, type FieldSet, itemFields, ownedBy } from "../../gitops/fields.ts";
import { isRecord } from "../../lib/json.ts";
import { parsePath, type Step } from "../../revert/path.ts";

/** Who set a field of the target as it is now, when that was not Serin (design rule 3: NotFromGit names them). */
export function managerOf(target: KubeObject | undefined, { object, path }: CauseField): { manager?: string } {
  if (!target || object !== `Deployment/${target.metadata.name}`) return {};
  const steps = parsePath(path);
  const owners = (target.metadata.managedFields ?? []).filter((entry) => has(target, entry, steps)).map(({ manager }) => manager);
  const ours: readonly (string | undefined)[] = Object.values(managers);
  const [manager] = owners.some((owner) => ours.includes(owner)) ? [] : owners;
  return manager === undefined ? {} : { manager };
}

function has(target: KubeObject, entry: ManagedFields, steps: readonly Step[]): boolean {
  return ownedBy(target, (candidate) => candidate === entry).some((set) => below(set, target, steps));
}

function below(set: FieldSet | undefined, value: unknown, [step, ...rest]: readonly Step[]): boolean {
  if (set === undefined) return false;
  if (step === undefined) return true;
  if (Array.isArray(value)) {
    const name = "item" in step ? step.item : "field" in step ? step.field : undefined;
    const item: unknown = "index" in step ? value[step.index] : value.find((one: unknown) => isRecord(one) && one["name"] === name);
    return below(itemFields(set, item), item, rest);
  }
  const field = "field" in step ? step.field : "item" in step ? step.item : String(step.index);
  return below(child(set, `f:${field}`), isRecord(value) ? value[field] : undefined, rest);
}
