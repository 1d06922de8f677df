import { isDeepStrictEqual } from "node:util";
import type { KubeObject } from "../../../api/object.ts";
import { isRecord } from "../../../lib/json.ts";
import { duplicate, type FieldError, forbiddenField, invalidValue, required, unsupported } from "../api-error.ts";
import { fill, numberAt, recordAt, recordsAt, textAt, valueAt } from "../read-fields.ts";
import type { Draft, Strategy } from "../resource-type.ts";
import { podSpecErrors, portNumberErrors } from "../validation/pods.ts";
import { defaultPodSpec } from "./pod-template.ts";

function specOf(object: Draft): Record<string, unknown> {
  object["spec"] ??= {};
  return object["spec"] as Record<string, unknown>;
}

/** How the API server checks and completes a Namespace. */
export const namespace: Strategy = {
  defaults: (object) => {
    object.metadata.labels = { ...object.metadata.labels, "kubernetes.io/metadata.name": object.metadata.name };
  },
  prepareCreate: (object) => {
    object["spec"] = { finalizers: ["kubernetes"] };
    object["status"] = { phase: "Active" };
  },
  prepareUpdate: (object, old) => {
    object["spec"] = old["spec"];
  },
};

/** How the API server checks and completes a Pod. */
export const pod: Strategy = {
  defaults: (object) => {
    const spec = specOf(object);
    defaultPodSpec(spec);
    fill(spec, { enableServiceLinks: true });
  },
  prepareCreate: (object) => {
    object["status"] = { phase: "Pending", qosClass: qosClass(object) };
    fill(specOf(object), { priority: 0, preemptionPolicy: "PreemptLowerPriority", tolerations });
  },
  validate: (object) => podSpecErrors(recordAt(object, "spec"), "spec"),
  validateUpdate: (object, old) => {
    if (isDeepStrictEqual(changeableAside(object), changeableAside(old))) return [];
    return [
      forbiddenField(
        "spec",
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
      ),
    ];
  },
};

/** What admission lets every pod tolerate for five minutes. */
const tolerations = ["not-ready", "unreachable"].map((taint) => ({
  key: `node.kubernetes.io/${taint}`,
  operator: "Exists",
  effect: "NoExecute",
  tolerationSeconds: 300,
}));

/** A pod's spec without the few fields that may change. */
function changeableAside(object: KubeObject): unknown {
  const { activeDeadlineSeconds: _a, tolerations: _t, nodeName: _n, ...spec } = recordAt(object, "spec");
  const imageless = (field: string): unknown => recordsAt(spec, field).map(({ image: _i, ...container }) => container);
  return { ...spec, containers: imageless("containers"), initContainers: imageless("initContainers") };
}

function qosClass(object: Draft): string {
  const resources = recordsAt(object, "spec", "containers").map((container) => recordAt(container, "resources"));
  if (
    resources.every(
      (resource) => Object.keys(recordAt(resource, "requests")).length === 0 && Object.keys(recordAt(resource, "limits")).length === 0,
    )
  )
    return "BestEffort";
  const guaranteed = resources.every(
    (resource) =>
      ["cpu", "memory"].every((name) => valueAt(resource, "limits", name) !== undefined) &&
      isDeepStrictEqual(resource["limits"], resource["requests"]),
  );
  return guaranteed ? "Guaranteed" : "Burstable";
}

const serviceTypes = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

/** How the API server checks and completes a Service. */
export const service: Strategy = {
  defaults: (object) => {
    const spec = specOf(object);
    fill(spec, { type: "ClusterIP", sessionAffinity: "None" });
    if (spec["type"] !== "ExternalName") fill(spec, { internalTrafficPolicy: "Cluster" });
    if (spec["type"] === "NodePort" || spec["type"] === "LoadBalancer") fill(spec, { externalTrafficPolicy: "Cluster" });
    if (spec["type"] === "LoadBalancer") fill(spec, { allocateLoadBalancerNodePorts: true });
    if (spec["sessionAffinity"] === "ClientIP") fill(spec, { sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } } });
    for (const port of recordsAt(spec, "ports")) {
      fill(port, { protocol: "TCP" });
      if (port["targetPort"] === undefined || port["targetPort"] === "" || port["targetPort"] === 0) port["targetPort"] = port["port"];
    }
  },
  prepareCreate: (object) => {
    object["status"] = { loadBalancer: {} };
  },
  prepareUpdate: (object, old) => {
    // A write that does not name the allocated address keeps it.
    const was = recordAt(old, "spec");
    if (textAt(was, "type") !== "ExternalName")
      fill(specOf(object), {
        clusterIP: was["clusterIP"],
        clusterIPs: was["clusterIPs"],
        ipFamilies: was["ipFamilies"],
        ipFamilyPolicy: was["ipFamilyPolicy"],
      });
    for (const port of recordsAt(object, "spec", "ports")) {
      const same = recordsAt(was, "ports").find((other) => other["port"] === port["port"] && other["protocol"] === port["protocol"]);
      if (same?.["nodePort"] !== undefined && textAt(object, "spec", "type") !== "ClusterIP") fill(port, { nodePort: same["nodePort"] });
    }
  },
  validate: serviceErrors,
  validateUpdate: (object, old) => {
    const [now, was] = [textAt(object, "spec", "clusterIP"), textAt(old, "spec", "clusterIP")];
    if (was === "" || now === was || textAt(object, "spec", "type") === "ExternalName") return [];
    return [invalidValue("spec.clusterIPs[0]", [now], "may not change once set")];
  },
};

function serviceErrors(object: KubeObject): FieldError[] {
  const spec = recordAt(object, "spec");
  const errors: FieldError[] = [];
  const ports = recordsAt(spec, "ports");
  const headless = spec["clusterIP"] === "None";
  if (ports.length === 0 && !headless && spec["type"] !== "ExternalName") errors.push(required("spec.ports"));
  ports.forEach((port, index) => errors.push(...servicePortErrors(port, { path: `spec.ports[${index}]`, several: ports.length > 1 })));
  if (!serviceTypes.includes(String(spec["type"]))) errors.push(unsupported("spec.type", spec["type"], serviceTypes));
  if (!["ClientIP", "None"].includes(String(spec["sessionAffinity"])))
    errors.push(unsupported("spec.sessionAffinity", spec["sessionAffinity"], ["ClientIP", "None"]));
  return [...errors, ...duplicatePorts(ports)];
}

function servicePortErrors(port: Record<string, unknown>, { path, several }: { path: string; several: boolean }): FieldError[] {
  const errors: FieldError[] = several && textAt(port, "name") === "" ? [required(`${path}.name`)] : [];
  errors.push(...portNumberErrors(port["port"] ?? 0, `${path}.port`));
  const target = port["targetPort"];
  if (typeof target === "number") errors.push(...portNumberErrors(target, `${path}.targetPort`));
  if (!["TCP", "UDP", "SCTP"].includes(String(port["protocol"])))
    errors.push(unsupported(`${path}.protocol`, port["protocol"], ["SCTP", "TCP", "UDP"]));
  return errors;
}

function duplicatePorts(ports: readonly Record<string, unknown>[]): FieldError[] {
  const seen = new Set<string>();
  return ports.flatMap((port, index) => {
    const { name } = port;
    const again = typeof name === "string" && seen.has(name);
    if (typeof name === "string") seen.add(name);
    return again ? [duplicate(`spec.ports[${index}].name`, name)] : [];
  });
}

/** How the API server checks and completes a ConfigMap. */
export const configMap: Strategy = { validate: (object) => keyErrors(object, "data"), validateUpdate: immutableData };

/** How the API server checks and completes a Secret. */
export const secret: Strategy = {
  defaults: (object) => {
    fill(object, { type: "Opaque" });
    const plain = object["stringData"];
    delete object["stringData"];
    if (!isRecord(plain)) return;
    const encoded = Object.entries(plain).map(([key, value]): [string, string] => [key, Buffer.from(String(value)).toString("base64")]);
    object["data"] = { ...recordAt(object, "data"), ...Object.fromEntries(encoded) };
  },
  validate: (object) => keyErrors(object, "data"),
  validateUpdate: (object, old) => [
    ...(object["type"] === old["type"] ? [] : [invalidValue("type", object["type"], "field is immutable")]),
    ...immutableData(object, old),
  ],
};

function keyErrors(object: KubeObject, field: string): FieldError[] {
  return Object.keys(recordAt(object, field))
    .filter((key) => !/^[-._a-zA-Z0-9]+$/.test(key) || key === "." || key.startsWith(".."))
    .map((key) =>
      invalidValue(
        `${field}[${key}]`,
        key,
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
      ),
    );
}

function immutableData(object: KubeObject, old: KubeObject): FieldError[] {
  if (old["immutable"] !== true) return [];
  const errors = object["immutable"] === true ? [] : [forbiddenField("immutable", "field is immutable when `immutable` is set")];
  if (!isDeepStrictEqual(recordAt(object, "data"), recordAt(old, "data")))
    errors.push(forbiddenField("data", "field is immutable when `immutable` is set"));
  return errors;
}

/** How the API server checks and completes a Node. */
export const node: Strategy = {};

/** How the API server checks and completes a Event. */
export const event: Strategy = {
  prepareCreate: (object) => {
    for (const field of ["eventTime", "firstTimestamp", "lastTimestamp"]) object[field] ??= null;
    fill(object, { reportingComponent: "", reportingInstance: "", source: {} });
  },
  validate: (object) => {
    const about = textAt(object, "involvedObject", "namespace");
    const { namespace: at = "" } = object.metadata;
    const fits = about === at || (about === "" && at === "default");
    return fits ? [] : [invalidValue("involvedObject.namespace", about, "does not match event.namespace")];
  },
};

/** How the API server checks and completes a PersistentVolumeClaim. */
export const persistentVolumeClaim: Strategy = {
  defaults: (object) => fill(specOf(object), { volumeMode: "Filesystem" }),
  prepareCreate: (object) => {
    object["status"] = { phase: "Pending" };
  },
  validate: (object) =>
    Array.isArray(valueAt(object, "spec", "accessModes")) ? [] : [required("spec.accessModes", "at least 1 access mode is required")],
};

/** How the API server checks and completes a HorizontalPodAutoscaler. */
export const autoscaler: Strategy = {
  prepareCreate: (object) => {
    object["status"] = { currentMetrics: null, desiredReplicas: 0 };
  },
  defaults: (object) => {
    const spec = specOf(object);
    fill(spec, {
      minReplicas: 1,
      metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } }],
    });
  },
  validate: (object) => {
    const spec = recordAt(object, "spec");
    const [min, max] = [numberAt(spec, "minReplicas"), numberAt(spec, "maxReplicas")];
    const errors: FieldError[] = [];
    if (min < 1) errors.push(invalidValue("spec.minReplicas", min, "must be greater than or equal to 1"));
    if (max < 1) errors.push(required("spec.maxReplicas", "must be set and greater than 0"));
    if (max < min) errors.push(invalidValue("spec.maxReplicas", max, "must be greater than or equal to `minReplicas`"));
    for (const field of ["kind", "name"])
      if (textAt(spec, "scaleTargetRef", field) === "") errors.push(required(`spec.scaleTargetRef.${field}`));
    return errors;
  },
};
