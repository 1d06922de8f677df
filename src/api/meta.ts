import { z } from "zod";
import { durationPattern } from "../lib/duration.ts";
import type { KubeObject, ObjectMeta } from "./object.ts";

/** Group and version of all our kinds. */
export const apiVersion = "serin.dev/v1beta1";

/** Annotations and labels that Serin writes and reads. */
export const names = {
  /** Commit that last changed the object, written by Sync in the same apply. */
  commit: "serin.dev/commit",
  /** Any new value asks for a reconcile now. */
  requestedAt: "serin.dev/requestedAt",
  syncName: "serin.dev/sync-name",
  syncNamespace: "serin.dev/sync-namespace",
  /** On generated objects: the Canary that made them. */
  canary: "serin.dev/canary",
  /** On objects that go with the Canary that made them: its uid. */
  canaryUid: "serin.dev/canary-uid",
  /** On a target whose replicas are its Canary's: how many Git says, written by Sync. */
  replicas: "serin.dev/replicas",
  finalizer: "serin.dev/finalizer",
  /** On a Revert that is only held: a person wants it proposed. Any value. */
  release: "serin.dev/release",
} as const;

/** Field managers, one per concern, so that `kubectl get --show-managed-fields` says who owns what. */
export const managers = { sync: "serin-sync", canary: "serin-canary", status: "serin-status" } as const;

/** A Go duration such as `1m30s`. */
export const duration = z.string().regex(durationPattern);
/** An integer share of traffic or pods, in percent. */
export const percent = z.int32().min(0).max(100);
/** The name of a Kubernetes object (RFC 1123 subdomain). */
export const objectName = z.string().min(1).max(253).regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);
/** Refers to an object of a known kind in the same namespace. */
export const localRef = z.object({ name: objectName.describe("Name of the object, in the same namespace.") });

/** One condition of a status, as in metav1.Condition. */
const condition = z.object({
  type: z.string().describe("Ready, Reconciling, Stalled, or one of this kind's own."),
  status: z.enum(["True", "False", "Unknown"]),
  reason: z.string().describe("CamelCase word for programs."),
  message: z.string().describe("Sentence for people. Carries no times or counters."),
  lastTransitionTime: z.string().describe("When `status` last changed, RFC 3339."),
  observedGeneration: z.int().optional().describe("metadata.generation this condition was computed from."),
});
export type Condition = z.infer<typeof condition>;

/** What every status of ours has. Spread into each kind's status schema. */
export const commonStatus = {
  observedGeneration: z.int().optional().describe("metadata.generation that the controller last acted upon."),
  conditions: z
    .array(condition)
    .optional()
    .describe("Ready, Reconciling and Stalled as kstatus reads them.")
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] }),
  lastHandledReconcileAt: z.string().optional().describe("Value of the annotation serin.dev/requestedAt that was last acted upon."),
};
/** The part of a status that every kind shares. */
export interface CommonStatus {
  observedGeneration?: number | undefined;
  conditions?: Condition[] | undefined;
  lastHandledReconcileAt?: string | undefined;
}

/** One of our objects: parsed spec (defaults applied) and status. */
export interface Resource<Spec, Status> extends KindHead {
  readonly metadata: ObjectMeta;
  readonly spec: Spec;
  readonly status: Status;
}
interface KindHead {
  readonly apiVersion: string;
  readonly kind: string;
}

/** A column of `kubectl get`. */
interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly jsonPath: string;
  readonly description: string;
  /** 1 shows it only with `-o wide`. */
  readonly priority?: number;
}

/** Everything there is to say about one of our kinds: the source of types, defaults, CRD and docs. */
export interface Kind<Spec extends z.ZodType = z.ZodType, Status extends z.ZodType = z.ZodType> {
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  /** One sentence for the reference and `kubectl explain`. */
  readonly description: string;
  readonly spec: Spec;
  readonly status: Status;
  /** What the status says before any controller has looked at the object. */
  readonly initialStatus?: object;
  readonly columns: readonly PrinterColumn[];
}

/** One field of an object that does not fit its schema. */
interface FieldProblem {
  /** As in YAML, e.g. `spec.analysis.metrics[0].name`. */
  readonly path: string;
  readonly message: string;
}

/** What reading an object gave: the object, or every field that is wrong. */
export type Parsed<T> = { ok: true; value: T } | { ok: false; problems: FieldProblem[] };

/** Reads an object of this kind, applying defaults. Never throws; unknown fields are dropped, as the API server does. */
export function parseObject<Spec extends z.ZodType, Status extends z.ZodType>(
  kind: Kind<Spec, Status>,
  object: KubeObject,
): Parsed<Resource<z.infer<Spec>, z.infer<Status>>> {
  const spec = kind.spec.safeParse(object["spec"] ?? {});
  const status = kind.status.safeParse(object["status"] ?? {});
  const problems = [...problemsOf(spec, "spec"), ...problemsOf(status, "status")];
  if (!spec.success || !status.success) return { ok: false, problems };
  return {
    ok: true,
    value: { apiVersion: object.apiVersion, kind: object.kind, metadata: object.metadata, spec: spec.data, status: status.data },
  };
}

function problemsOf(result: z.ZodSafeParseResult<unknown>, root: string): FieldProblem[] {
  if (result.success) return [];
  return result.error.issues.map(({ path, message }) => ({ path: fieldPath(root, path), message }));
}

/** `spec.metrics[0].name` from the parts of a zod issue. */
function fieldPath(root: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => (typeof part === "number" ? `${text}[${part}]` : `${text}.${String(part)}`), root);
}
