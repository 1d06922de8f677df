import { isDeepStrictEqual } from "node:util";
import { isRecord } from "../../../lib/json.ts";
import { type FieldError, invalidValue, required, unsupported } from "../api-error.ts";
import { fill, numberAt, recordAt, recordsAt, textAt, valueAt } from "../read-fields.ts";
import type { Draft, Strategy } from "../resource-type.ts";
import { labelErrors, podSpecErrors } from "../validation/pods.ts";
import { selectorMatches } from "../validation/label-selectors.ts";
import { defaultPodSpec } from "./pod-template.ts";

type Rules = { readonly [Field in "replicas" | "selectorImmutable"]?: boolean };

function specOf(object: Draft): Record<string, unknown> {
  object["spec"] ??= {};
  return object["spec"] as Record<string, unknown>;
}

function defaultTemplate(object: Draft): void {
  const template = specOf(object)["template"];
  if (isRecord(template) && isRecord(template["spec"])) defaultPodSpec(template["spec"]);
}

/** Rules that all kinds with a selector and a pod template share. */
function templateErrors(spec: Record<string, unknown>, { replicas = true }: Rules): FieldError[] {
  const errors: FieldError[] = [];
  if (replicas && numberAt(spec, "replicas") < 0)
    errors.push(invalidValue("spec.replicas", spec["replicas"], "must be greater than or equal to 0"));
  const selector = valueAt(spec, "selector");
  const labels = valueAt(spec, "template", "metadata", "labels");
  if (!isRecord(selector)) errors.push(required("spec.selector"));
  else if (isDeepStrictEqual(selector, {})) errors.push(invalidValue("spec.selector", {}, "empty selector is invalid for deployment"));
  if (!isRecord(selector) || !selectorMatches(selector, recordAt(labels)))
    errors.push(invalidValue("spec.template.metadata.labels", labels ?? null, "`selector` does not match template `labels`"));
  errors.push(
    ...labelErrors(labels, "spec.template.metadata.labels"),
    ...podSpecErrors(recordAt(spec, "template", "spec"), "spec.template.spec"),
  );
  const policy = textAt(spec, "template", "spec", "restartPolicy");
  if (policy !== "Always") errors.push(unsupported("spec.template.spec.restartPolicy", policy, ["Always"]));
  return errors;
}

function immutable(field: string, object: unknown, old: unknown): FieldError[] {
  const path = field.split(".");
  const now = valueAt(object, ...path);
  return isDeepStrictEqual(now, valueAt(old, ...path)) ? [] : [invalidValue(field, now ?? null, "field is immutable")];
}

/** `maxSurge` and `maxUnavailable` are counts or percentages, and not both zero. */
function rollingUpdateErrors(strategy: Record<string, unknown>): FieldError[] {
  const at = "spec.strategy";
  const type = textAt(strategy, "type");
  if (type !== "RollingUpdate" && type !== "Recreate") return [unsupported(`${at}.type`, type, ["Recreate", "RollingUpdate"])];
  if (type === "Recreate")
    return strategy["rollingUpdate"] === undefined
      ? []
      : [
          {
            reason: "FieldValueForbidden",
            field: `${at}.rollingUpdate`,
            why: "Forbidden: may not be specified when strategy `type` is 'Recreate'",
          },
        ];
  const rolling = recordAt(strategy, "rollingUpdate");
  const isZero = (value: unknown): boolean => value === 0 || value === "0%";
  const errors = Object.entries(rolling).flatMap(([field, value]) => amountErrors(value, `${at}.rollingUpdate.${field}`));
  if (isZero(rolling["maxSurge"]) && isZero(rolling["maxUnavailable"]))
    errors.push(invalidValue(`${at}.rollingUpdate.maxUnavailable`, rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0"));
  return errors;
}

function amountErrors(value: unknown, path: string): FieldError[] {
  if (typeof value === "number") return value < 0 ? [invalidValue(path, value, "must be greater than or equal to 0")] : [];
  if (typeof value === "string" && !/^\d+%$/.test(value)) {
    return [
      invalidValue(
        path,
        value,
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
      ),
    ];
  }
  return [];
}

/** How the API server checks and completes a Deployment. */
export const deployment: Strategy = {
  defaults: (object) => {
    const spec = specOf(object);
    fill(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600, strategy: {} });
    const strategy = recordAt(spec, "strategy");
    fill(strategy, { type: "RollingUpdate" });
    if (strategy["type"] === "RollingUpdate") {
      fill(strategy, { rollingUpdate: {} });
      fill(recordAt(strategy, "rollingUpdate"), { maxUnavailable: "25%", maxSurge: "25%" });
    }
    defaultTemplate(object);
  },
  validate: (object) => {
    const spec = recordAt(object, "spec");
    const errors = [...templateErrors(spec, {}), ...rollingUpdateErrors(recordAt(spec, "strategy"))];
    const [deadline, minReady] = [numberAt(spec, "progressDeadlineSeconds"), numberAt(spec, "minReadySeconds")];
    if (minReady < 0) errors.push(invalidValue("spec.minReadySeconds", minReady, "must be greater than or equal to 0"));
    if (deadline <= minReady) errors.push(invalidValue("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"));
    return errors;
  },
  validateUpdate: (object, old) => immutable("spec.selector", object, old),
};

/** How the API server checks and completes a ReplicaSet. */
export const replicaSet: Strategy = {
  defaults: (object) => {
    fill(specOf(object), { replicas: 1 });
    defaultTemplate(object);
  },
  validate: (object) => templateErrors(recordAt(object, "spec"), {}),
  validateUpdate: (object, old) => immutable("spec.selector", object, old),
};

/** How the API server checks and completes a DaemonSet. */
export const daemonSet: Strategy = {
  defaults: (object) => {
    const spec = specOf(object);
    fill(spec, { revisionHistoryLimit: 10, updateStrategy: {} });
    const strategy = recordAt(spec, "updateStrategy");
    fill(strategy, { type: "RollingUpdate" });
    if (strategy["type"] === "RollingUpdate") fill(strategy, { rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } });
    defaultTemplate(object);
  },
  validate: (object) => templateErrors(recordAt(object, "spec"), { replicas: false }),
  validateUpdate: (object, old) => immutable("spec.selector", object, old),
};

/** How the API server checks and completes a StatefulSet. */
export const statefulSet: Strategy = {
  defaults: (object) => {
    const spec = specOf(object);
    fill(spec, {
      replicas: 1,
      revisionHistoryLimit: 10,
      podManagementPolicy: "OrderedReady",
      updateStrategy: {},
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
    });
    const strategy = recordAt(spec, "updateStrategy");
    fill(strategy, { type: "RollingUpdate" });
    if (strategy["type"] === "RollingUpdate") fill(strategy, { rollingUpdate: { partition: 0 } });
    defaultTemplate(object);
  },
  validate: (object) => templateErrors(recordAt(object, "spec"), {}),
  validateUpdate: (object, old) => immutable("spec.selector", object, old),
};

/** How the API server checks and completes a Job. */
export const job: Strategy = {
  defaults: (object) => {
    defaultJobSpec(specOf(object));
    const { uid, name } = object.metadata;
    const spec = specOf(object);
    if (spec["manualSelector"] === true || uid === undefined) return;
    // Jobs choose their own selector and label their pods with it.
    spec["selector"] ??= { matchLabels: { "batch.kubernetes.io/controller-uid": uid } };
    const metadata = recordAt(spec, "template", "metadata");
    metadata["labels"] = {
      ...recordAt(metadata, "labels"),
      "batch.kubernetes.io/controller-uid": uid,
      "batch.kubernetes.io/job-name": name,
    };
  },
  validate: (object) => jobErrors(recordAt(object, "spec"), "spec"),
};

function defaultJobSpec(spec: Record<string, unknown>): void {
  fill(spec, {
    backoffLimit: 6,
    completionMode: "NonIndexed",
    suspend: false,
    parallelism: 1,
    completions: 1,
    podReplacementPolicy: "TerminatingOrFailed",
  });
  const pod = recordAt(spec, "template", "spec");
  defaultPodSpec(pod);
}

function jobErrors(spec: Record<string, unknown>, path: string): FieldError[] {
  const pod = recordAt(spec, "template", "spec");
  const policy = textAt(pod, "restartPolicy");
  const wrongPolicy = policy === "Always" ? [unsupported(`${path}.template.spec.restartPolicy`, policy, ["OnFailure", "Never"])] : [];
  return [...podSpecErrors(pod, `${path}.template.spec`), ...wrongPolicy];
}

/** How the API server checks and completes a CronJob. */
export const cronJob: Strategy = {
  defaults: (object) => {
    const spec = specOf(object);
    fill(spec, { concurrencyPolicy: "Allow", suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 });
    for (const template of recordsAt({ list: [recordAt(spec, "jobTemplate", "spec", "template", "spec")] }, "list"))
      defaultPodSpec(template);
  },
  validate: (object) => {
    const spec = recordAt(object, "spec");
    const missing = textAt(spec, "schedule") === "" ? [required("spec.schedule")] : [];
    return [...missing, ...jobErrors(recordAt(spec, "jobTemplate", "spec"), "spec.jobTemplate.spec")];
  },
};
