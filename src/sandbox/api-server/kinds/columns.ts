import type { KubeObject } from "../../../api/object.ts";
import { numberAt, recordAt, recordsAt, scalarText, textAt, valueAt } from "../read-fields.ts";
import type { Cell, Column } from "../resource-type.ts";
import { selectorText } from "../selectors.ts";
import { ageColumn, ageText } from "../tables.ts";

type Read = (object: KubeObject, nowMs: number) => Cell;

function column(name: string, cell: Read, type = "string"): Column {
  return { name, type, priority: 0, cell };
}
function wide(name: string, cell: Read): Column {
  return { name, type: "string", priority: 1, cell };
}

const none = "<none>";
const text =
  (...path: string[]): Read =>
  (object) =>
    textAt(object, ...path) || none;
const count =
  (...path: string[]): Read =>
  (object) =>
    numberAt(object, ...path);
const labelsAt =
  (...path: string[]): Read =>
  (object) =>
    Object.entries(recordAt(object, ...path))
      .map(([key, value]) => `${key}=${String(value)}`)
      .join(",") || none;
const selectorAt =
  (...path: string[]): Read =>
  (object) =>
    selectorText(valueAt(object, ...path)) || none;

const containersOf = (object: KubeObject): Record<string, unknown>[] => recordsAt(object, "spec", "template", "spec", "containers");
const templateColumns: Column[] = [
  wide("Containers", (object) =>
    containersOf(object)
      .map(({ name }) => String(name))
      .join(","),
  ),
  wide("Images", (object) =>
    containersOf(object)
      .map(({ image }) => String(image))
      .join(","),
  ),
  wide("Selector", selectorAt("spec", "selector")),
];

const podColumns: Column[] = [
  column("Ready", (object) => {
    const statuses = recordsAt(object, "status", "containerStatuses");
    return `${statuses.filter(({ ready }) => ready === true).length}/${recordsAt(object, "spec", "containers").length}`;
  }),
  column("Status", podStatus),
  column("Restarts", (object) =>
    String(recordsAt(object, "status", "containerStatuses").reduce((sum, status) => sum + numberAt(status, "restartCount"), 0)),
  ),
  ageColumn,
  wide("IP", text("status", "podIP")),
  wide("Node", text("spec", "nodeName")),
  wide("Nominated Node", text("status", "nominatedNodeName")),
  wide("Readiness Gates", () => none),
];

function podStatus(object: KubeObject): string {
  if (object.metadata.deletionTimestamp !== undefined) return "Terminating";
  const statuses = [...recordsAt(object, "status", "initContainerStatuses"), ...recordsAt(object, "status", "containerStatuses")];
  const reasons = statuses.map((status) => textAt(status, "state", "waiting", "reason") || textAt(status, "state", "terminated", "reason"));
  return reasons.find((reason) => reason !== "") ?? (textAt(object, "status", "reason") || textAt(object, "status", "phase"));
}

function ports(object: KubeObject): string {
  const shown = recordsAt(object, "spec", "ports").map(
    (port) =>
      `${scalarText(port["port"])}${port["nodePort"] === undefined ? "" : `:${scalarText(port["nodePort"])}`}/${scalarText(port["protocol"])}`,
  );
  return shown.join(",") || none;
}

function eventObject(object: KubeObject): string {
  return `${textAt(object, "involvedObject", "kind").toLowerCase()}/${textAt(object, "involvedObject", "name")}`;
}

function endpoints(list: readonly string[]): string {
  return list.length > 3 ? `${list.slice(0, 3).join(",")} + ${list.length - 3} more...` : list.join(",") || "<unset>";
}

function autoscalerTargets(object: KubeObject): string {
  return recordsAt(object, "spec", "metrics")
    .map((metric) => {
      const name = textAt(metric, "resource", "name") || textAt(metric, "type").toLowerCase();
      const wanted = valueAt(metric, "resource", "target", "averageUtilization");
      return `${name}: <unknown>${wanted === undefined ? "" : `/${scalarText(wanted)}%`}`;
    })
    .join(", ");
}

/** The columns of `kubectl get` by kind; kinds that are not here show name and age. */
export const builtinColumns: Readonly<Record<string, readonly Column[]>> = {
  Pod: podColumns,
  Deployment: [
    column("Ready", (object) => `${numberAt(object, "status", "readyReplicas")}/${numberAt(object, "spec", "replicas")}`),
    column("Up-to-date", count("status", "updatedReplicas"), "integer"),
    column("Available", count("status", "availableReplicas"), "integer"),
    ageColumn,
    ...templateColumns,
  ],
  ReplicaSet: [
    column("Desired", count("spec", "replicas"), "integer"),
    column("Current", count("status", "replicas"), "integer"),
    column("Ready", count("status", "readyReplicas"), "integer"),
    ageColumn,
    ...templateColumns,
  ],
  StatefulSet: [
    column("Ready", (object) => `${numberAt(object, "status", "readyReplicas")}/${numberAt(object, "spec", "replicas")}`),
    ageColumn,
    ...templateColumns.slice(0, 2),
  ],
  DaemonSet: [
    column("Desired", count("status", "desiredNumberScheduled"), "integer"),
    column("Current", count("status", "currentNumberScheduled"), "integer"),
    column("Ready", count("status", "numberReady"), "integer"),
    column("Up-to-date", count("status", "updatedNumberScheduled"), "integer"),
    column("Available", count("status", "numberAvailable"), "integer"),
    column("Node Selector", labelsAt("spec", "template", "spec", "nodeSelector")),
    ageColumn,
    ...templateColumns,
  ],
  Job: [
    column(
      "Status",
      (object) =>
        (recordsAt(object, "status", "conditions").find(
          ({ status, type }) => status === "True" && (type === "Complete" || type === "Failed"),
        )?.["type"] as string | undefined) ?? "Running",
    ),
    column("Completions", (object) => `${numberAt(object, "status", "succeeded")}/${numberAt(object, "spec", "completions")}`),
    column("Duration", (object, nowMs) =>
      valueAt(object, "status", "startTime") === undefined ? "" : ageText(valueAt(object, "status", "startTime"), nowMs),
    ),
    ageColumn,
    ...templateColumns,
  ],
  CronJob: [
    column("Schedule", text("spec", "schedule")),
    column("Timezone", text("spec", "timeZone")),
    column("Suspend", (object) => (valueAt(object, "spec", "suspend") === true ? "True" : "False")),
    column("Active", (object) => recordsAt(object, "status", "active").length, "integer"),
    column("Last Schedule", (object, nowMs) =>
      valueAt(object, "status", "lastScheduleTime") === undefined ? none : ageText(valueAt(object, "status", "lastScheduleTime"), nowMs),
    ),
    ageColumn,
  ],
  Service: [
    column("Type", text("spec", "type")),
    column("Cluster-IP", text("spec", "clusterIP")),
    column(
      "External-IP",
      (object) =>
        textAt(object, "spec", "externalName") ||
        recordsAt(object, "status", "loadBalancer", "ingress")
          .map((entry) => textAt(entry, "ip") || textAt(entry, "hostname"))
          .join(",") ||
        none,
    ),
    column("Port(s)", ports),
    ageColumn,
    wide("Selector", labelsAt("spec", "selector")),
  ],
  Endpoints: [
    column("Endpoints", (object) => {
      const all = recordsAt(object, "subsets").flatMap((subset) =>
        recordsAt(subset, "addresses").flatMap((address) =>
          recordsAt(subset, "ports").map((port) => `${textAt(address, "ip")}:${scalarText(port["port"])}`),
        ),
      );
      return endpoints(all) === "<unset>" ? none : endpoints(all);
    }),
    ageColumn,
  ],
  EndpointSlice: [
    column("AddressType", text("addressType")),
    column("Ports", (object) => endpoints(recordsAt(object, "ports").map(({ port }) => String(port)))),
    column("Endpoints", (object) =>
      endpoints(recordsAt(object, "endpoints").flatMap(({ addresses }) => (Array.isArray(addresses) ? addresses.map(String) : []))),
    ),
    ageColumn,
  ],
  Node: [
    column("Status", (object) =>
      recordsAt(object, "status", "conditions").some(({ type, status }) => type === "Ready" && status === "True") ? "Ready" : "NotReady",
    ),
    column("Roles", () => none),
    ageColumn,
    column("Version", text("status", "nodeInfo", "kubeletVersion")),
  ],
  Namespace: [column("Status", text("status", "phase")), ageColumn],
  ConfigMap: [
    column(
      "Data",
      (object) => Object.keys(recordAt(object, "data")).length + Object.keys(recordAt(object, "binaryData")).length,
      "integer",
    ),
    ageColumn,
  ],
  Secret: [column("Type", text("type")), column("Data", (object) => Object.keys(recordAt(object, "data")).length, "integer"), ageColumn],
  ServiceAccount: [column("Secrets", (object) => recordsAt(object, "secrets").length, "integer"), ageColumn],
  Event: [
    column("Last Seen", (object, nowMs) =>
      ageText(
        textAt(object, "lastTimestamp") ||
          textAt(object, "series", "lastObservedTime") ||
          textAt(object, "eventTime") ||
          textAt(object, "firstTimestamp") ||
          object.metadata.creationTimestamp,
        nowMs,
      ),
    ),
    column("Type", text("type")),
    column("Reason", text("reason")),
    column("Object", eventObject),
    wide("Subobject", (object) => textAt(object, "involvedObject", "fieldPath")),
    wide("Source", (object) => textAt(object, "source", "component") || textAt(object, "reportingComponent")),
    column("Message", (object) => textAt(object, "message").trim()),
    wide("First Seen", (object, nowMs) =>
      ageText(textAt(object, "firstTimestamp") || textAt(object, "eventTime") || object.metadata.creationTimestamp, nowMs),
    ),
    wide("Count", (object) => numberAt(object, "series", "count") || numberAt(object, "count") || 1),
    wide("Name", ({ metadata }) => metadata.name),
  ],
  HorizontalPodAutoscaler: [
    column(
      "Reference",
      (object) => `${textAt(object, "spec", "scaleTargetRef", "kind")}/${textAt(object, "spec", "scaleTargetRef", "name")}`,
    ),
    column("Targets", autoscalerTargets),
    column("MinPods", (object) => scalarText(valueAt(object, "spec", "minReplicas") ?? "<unset>")),
    column("MaxPods", count("spec", "maxReplicas"), "integer"),
    column("Replicas", count("status", "currentReplicas"), "integer"),
    ageColumn,
  ],
  Ingress: [
    column("Class", text("spec", "ingressClassName")),
    column(
      "Hosts",
      (object) =>
        recordsAt(object, "spec", "rules")
          .map((rule) => textAt(rule, "host") || "*")
          .join(",") || "*",
    ),
    column("Address", (object) =>
      recordsAt(object, "status", "loadBalancer", "ingress")
        .map((entry) => textAt(entry, "ip") || textAt(entry, "hostname"))
        .join(","),
    ),
    column("Ports", (object) => (recordsAt(object, "spec", "tls").length > 0 ? "80, 443" : "80")),
    ageColumn,
  ],
  IngressClass: [column("Controller", text("spec", "controller")), column("Parameters", () => none), ageColumn],
  NetworkPolicy: [column("Pod-Selector", selectorAt("spec", "podSelector")), ageColumn],
  PodDisruptionBudget: [
    column("Min Available", (object) => scalarText(valueAt(object, "spec", "minAvailable") ?? "N/A")),
    column("Max Unavailable", (object) => scalarText(valueAt(object, "spec", "maxUnavailable") ?? "N/A")),
    column("Allowed Disruptions", count("status", "disruptionsAllowed"), "integer"),
    ageColumn,
  ],
  PersistentVolumeClaim: [
    column("Status", text("status", "phase")),
    column("Volume", (object) => textAt(object, "spec", "volumeName")),
    column("Capacity", (object) => textAt(object, "status", "capacity", "storage")),
    column("Access Modes", (object) => ((valueAt(object, "spec", "accessModes") ?? []) as string[]).join(",")),
    column("StorageClass", (object) => textAt(object, "spec", "storageClassName")),
    ageColumn,
  ],
  Lease: [column("Holder", text("spec", "holderIdentity")), ageColumn],
  RoleBinding: [column("Role", (object) => `${textAt(object, "roleRef", "kind")}/${textAt(object, "roleRef", "name")}`), ageColumn],
  ClusterRoleBinding: [column("Role", (object) => `${textAt(object, "roleRef", "kind")}/${textAt(object, "roleRef", "name")}`), ageColumn],
  Role: [column("Created At", (object) => object.metadata.creationTimestamp)],
  ClusterRole: [column("Created At", (object) => object.metadata.creationTimestamp)],
  CustomResourceDefinition: [column("Created At", (object) => object.metadata.creationTimestamp)],
  ControllerRevision: [
    column(
      "Controller",
      (object) =>
        object.metadata.ownerReferences
          ?.filter(({ controller }) => controller === true)
          .map(({ kind, name }) => `${kind.toLowerCase()}.apps/${name}`)[0] ?? none,
    ),
    column("Revision", count("revision"), "integer"),
    ageColumn,
  ],
};
