import { isRecord } from "../../../lib/json.ts";
import { fill, recordAt, recordsAt, textAt, valueAt } from "../read-fields.ts";

const probes = ["livenessProbe", "readinessProbe", "startupProbe"];

/** Fills in what Kubernetes fills in in every pod spec, in pods and templates alike. */
export function defaultPodSpec(spec: Record<string, unknown>): void {
  fill(spec, {
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    securityContext: {},
    schedulerName: "default-scheduler",
  });
  const account = spec["serviceAccountName"] ?? spec["serviceAccount"];
  if (account !== undefined) fill(spec, { serviceAccountName: account, serviceAccount: account });
  for (const container of [...recordsAt(spec, "containers"), ...recordsAt(spec, "initContainers")]) defaultContainer(container);
  for (const volume of recordsAt(spec, "volumes")) defaultVolume(volume);
}

function defaultContainer(container: Record<string, unknown>): void {
  const image = textAt(container, "image");
  const tag = /@|:([^:/]+)$/.exec(image);
  fill(container, {
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    imagePullPolicy: tag === null || tag[1] === "latest" ? "Always" : "IfNotPresent",
  });
  for (const name of probes) if (isRecord(container[name])) defaultProbe(container[name]);
  for (const variable of recordsAt(container, "env")) {
    const ref = valueAt(variable, "valueFrom", "fieldRef");
    if (isRecord(ref)) fill(ref, { apiVersion: "v1" });
  }
  const requests = recordAt(container, "resources", "requests");
  const limits = recordAt(container, "resources", "limits");
  // A limit without a request is the request too.
  if (Object.keys(limits).length > 0 && isRecord(container["resources"])) container["resources"]["requests"] = { ...limits, ...requests };
}

function defaultProbe(probe: Record<string, unknown>): void {
  fill(probe, { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 });
  if (isRecord(probe["httpGet"])) fill(probe["httpGet"], { path: "/", scheme: "HTTP" });
  if (isRecord(probe["grpc"])) fill(probe["grpc"], { service: "" });
}

function defaultVolume(volume: Record<string, unknown>): void {
  for (const source of ["configMap", "secret", "projected", "downwardAPI"])
    if (isRecord(volume[source])) fill(volume[source], { defaultMode: 420 });
  const sources = Object.keys(volume).filter((field) => field !== "name");
  if (sources.length === 0) volume["emptyDir"] = {};
}
