import { keyOf, type KubeObject } from "../../api/object.ts";
import { conditionOf, listAt, numberAt, secondsAt, textAt, valueAt } from "./fields.ts";

/** One value of a gauge for one object. */
interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Finds another object: of this kind, by `namespace/name`. */
export type FindObject = (kind: string, key: string) => KubeObject | undefined;

/** The newest revision that the cluster is at, of a Sync by `namespace/name`; `undefined` before its first run. */
export type ReachedRevision = (sync: string) => string | undefined;

/** A gauge with the labels `namespace` and `name` for every object of a kind. */
export interface ObjectGauge {
  readonly name: string;
  readonly help: string;
  readonly kind: string;
  /** Beside namespace and name. */
  readonly labels: readonly string[];
  readonly samples: (object: KubeObject, find: FindObject, reached: ReachedRevision) => readonly Sample[];
}

function plain(value: number | undefined): Sample[] {
  return value === undefined ? [] : [{ value }];
}

function isReady(object: KubeObject): Sample[] {
  return [{ value: conditionOf(object, "Ready")?.status === "True" ? 1 : 0 }];
}

function reasonOf(object: KubeObject): string {
  return conditionOf(object, "Ready")?.reason ?? "";
}

/** As Flagger counts: 0 while a release is under way, 2 failed, 1 anything else. */
function canaryStatus(object: KubeObject): Sample[] {
  const phase = textAt(object["status"], "phase");
  if (phase === undefined) return [];
  if (phase === "Failed") return [{ value: 2 }];
  return [{ value: phase === "Initialized" || phase === "Succeeded" ? 1 : 0 }];
}

function checks(object: KubeObject, sample: (metric: string, check: unknown) => Sample[]): Sample[] {
  return listAt(object["status"], "checks").flatMap((check) => {
    const metric = textAt(check, "name");
    return metric === undefined ? [] : sample(metric, check);
  });
}

/** Of the Sync, whether the cluster is as its source says: its status names the last revision that brought something new. */
function isUpToDate(object: KubeObject, find: FindObject, reached: ReachedRevision): Sample[] {
  const source = find("GitRepository", `${object.metadata.namespace ?? ""}/${textAt(object["spec"], "sourceRef", "name") ?? ""}`);
  const wanted = textAt(source?.["status"], "revision");
  if (wanted === undefined) return [];
  const applied = textAt(object["status"], "lastAppliedRevision");
  return [{ value: applied === wanted || reached(keyOf(object.metadata)) === wanted ? 1 : 0 }];
}

/** Phases in which the requests of both versions are compared. */
const counted: ReadonlySet<string> = new Set(["Progressing", "WaitingPromotion", "Promoting"]);

/** The evidence of a release under way, or of one that failed. At rest it says nothing of now, and would be a series for every Canary. */
function evidenceOf({ status }: KubeObject): unknown {
  const phase = textAt(status, "phase") ?? "";
  return counted.has(phase) || phase === "Failed" ? valueAt(status, "evidence") : undefined;
}

/** Why the share verdict is what it is. Metrics that could not be read from the first moment on left no evidence, but a condition. */
function evidenceReason(object: KubeObject): Sample[] {
  const evidence = evidenceOf(object);
  const reason = textAt(evidence, "reason");
  if (reason !== undefined) return [{ labels: { reason, acts: String(valueAt(evidence, "acts") === true) }, value: 1 }];
  const isBlind = counted.has(textAt(object["status"], "phase") ?? "") && reasonOf(object) === "MetricsUnreadable";
  return isBlind ? [{ labels: { reason: reasonOf(object), acts: "true" }, value: 1 }] : [];
}

const canaries: readonly Omit<ObjectGauge, "kind">[] = [
  {
    name: "serin_canary_status",
    help: "State of a Canary: 0 a release is under way, 1 at rest, 2 the last release failed.",
    labels: [],
    samples: canaryStatus,
  },
  {
    name: "serin_canary_phase",
    help: "1 for the phase that a Canary is in.",
    labels: ["phase"],
    samples: ({ status }) => [{ labels: { phase: textAt(status, "phase") ?? "" }, value: 1 }],
  },
  {
    name: "serin_canary_last_transition_timestamp_seconds",
    help: "When a Canary came into its phase.",
    labels: [],
    samples: ({ status }) => plain(secondsAt(status, "lastTransitionTime")),
  },
  {
    name: "serin_canary_weight",
    help: "Share of traffic that the new version gets, in percent.",
    labels: [],
    samples: ({ status }) => plain(numberAt(status, "canaryWeight")),
  },
  {
    name: "serin_canary_failed_checks",
    help: "Failed checks of this release so far.",
    labels: [],
    samples: ({ status }) => plain(numberAt(status, "failedChecks")),
  },
  {
    name: "serin_canary_check_value",
    help: "What a metric of a Canary measured last, in the metric's own unit. Missing when there was no number.",
    labels: ["metric"],
    samples: (object) =>
      checks(object, (metric, check) => plain(numberAt(check, "value")).map((each) => ({ ...each, labels: { metric } }))),
  },
  {
    name: "serin_canary_check_verdict",
    help: "1 for what was last said of a metric of a Canary: pass, fail or inconclusive.",
    labels: ["metric", "verdict"],
    samples: (object) => checks(object, (metric, check) => [{ labels: { metric, verdict: textAt(check, "verdict") ?? "" }, value: 1 }]),
  },
  {
    name: "serin_canary_evidence",
    help: "Evidence against the release that is judged, or that failed: 1 says nothing, and by default 20 rolls back. Missing at rest.",
    labels: [],
    samples: (object) => plain(numberAt(evidenceOf(object), "evidence")),
  },
  {
    name: "serin_canary_evidence_reason",
    help: "1 for why the share verdict is what it is; docs/verdicts.md names all. acts: whether it decides, or is only shown.",
    labels: ["reason", "acts"],
    samples: evidenceReason,
  },
];

const syncs: readonly Omit<ObjectGauge, "kind">[] = [
  { name: "serin_sync_ready", help: "1 when a Sync is Ready, else 0.", labels: [], samples: isReady },
  {
    name: "serin_sync_up_to_date",
    help: "1 when a Sync has applied what its source has, or found nothing new in it, else 0.",
    labels: [],
    samples: isUpToDate,
  },
  {
    name: "serin_sync_last_applied_timestamp_seconds",
    help: "When a Sync last applied a change.",
    labels: [],
    samples: ({ status }) => plain(secondsAt(status, "appliedAt")),
  },
  {
    name: "serin_sync_objects",
    help: "Objects in the inventory of a Sync.",
    labels: [],
    samples: ({ status }) => [{ value: listAt(status, "inventory", "entries").length }],
  },
  {
    name: "serin_sync_holding",
    help: "Canaries whose failed change a Sync holds back.",
    labels: [],
    samples: ({ status }) => [{ value: listAt(status, "holding").length }],
  },
];

const gitRepositories: readonly Omit<ObjectGauge, "kind">[] = [
  { name: "serin_git_repository_ready", help: "1 when a GitRepository is Ready, else 0.", labels: [], samples: isReady },
  {
    name: "serin_git_repository_commit_timestamp_seconds",
    help: "Author time of the commit that was fetched last.",
    labels: [],
    samples: ({ status }) => plain(secondsAt(status, "commit", "time")),
  },
];

const reverts: readonly Omit<ObjectGauge, "kind">[] = [
  {
    name: "serin_revert_phase",
    help: "1 for the phase that a Revert is in, with the reason of its condition Ready.",
    labels: ["phase", "reason"],
    samples: (object) => [{ labels: { phase: textAt(object["status"], "phase") ?? "Planned", reason: reasonOf(object) }, value: 1 }],
  },
  {
    name: "serin_revert_created_timestamp_seconds",
    help: "When a Revert was made.",
    labels: [],
    samples: ({ metadata }) => plain(secondsAt(metadata, "creationTimestamp")),
  },
  {
    name: "serin_revert_proposed_timestamp_seconds",
    help: "When a Revert was first proposed in Git.",
    labels: [],
    samples: ({ status }) => plain(secondsAt(status, "proposedAt")),
  },
];

/** Every gauge that says something of one object of one kind. */
export const objectGauges: readonly ObjectGauge[] = [
  ...canaries.map((gauge) => ({ ...gauge, kind: "Canary" })),
  ...syncs.map((gauge) => ({ ...gauge, kind: "Sync" })),
  ...gitRepositories.map((gauge) => ({ ...gauge, kind: "GitRepository" })),
  ...reverts.map((gauge) => ({ ...gauge, kind: "Revert" })),
];

/** Gauges with the labels `kind`, `namespace` and `name` for the few objects of any kind of which they are true. */
export const stateGauges: readonly Omit<ObjectGauge, "kind">[] = [
  {
    name: "serin_object_stalled",
    help: "1 for an object that makes no progress until a person changes something, with the reason of its condition Stalled.",
    labels: ["reason"],
    samples: (object) => {
      const stalled = conditionOf(object, "Stalled");
      return stalled?.status === "True" ? [{ labels: { reason: stalled.reason ?? "" }, value: 1 }] : [];
    },
  },
  {
    name: "serin_object_suspended",
    help: "1 for an object whose spec.suspend is set.",
    labels: [],
    samples: ({ spec }) => (valueAt(spec, "suspend") === true ? [{ value: 1 }] : []),
  },
];
