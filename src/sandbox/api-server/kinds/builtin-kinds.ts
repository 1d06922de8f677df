import { builtinSchemas } from "../builtin-schemas.ts";
import type { ResourceType, ScalePaths, Strategy } from "../resource-type.ts";
import { ageColumn } from "../tables.ts";
import { labelName, type NameRule, pathSegmentName, subdomainName } from "../validation/names.ts";
import { builtinColumns } from "./columns.ts";
import * as core from "./core.ts";
import * as networking from "./networking.ts";
import * as workloads from "./workloads.ts";

/** One line of the table: what is not said has its most common value. */
interface Row {
  readonly plural: string;
  readonly definition: string;
  readonly shortNames?: readonly string[];
  readonly inAll?: boolean;
  readonly cluster?: boolean;
  readonly status?: boolean;
  readonly generation?: boolean;
  readonly scale?: boolean;
  readonly strategy?: Strategy;
  readonly virtual?: boolean;
}

const workload = { inAll: true, status: true, generation: true };

const groups: Readonly<Record<string, Readonly<Record<string, Row>>>> = {
  v1: {
    Namespace: { plural: "namespaces", definition: "core", shortNames: ["ns"], cluster: true, status: true, strategy: core.namespace },
    Node: { plural: "nodes", definition: "core", shortNames: ["no"], cluster: true, status: true, strategy: core.node },
    Pod: { plural: "pods", definition: "core", shortNames: ["po"], ...workload, strategy: core.pod },
    Service: { plural: "services", definition: "core", shortNames: ["svc"], inAll: true, status: true, strategy: core.service },
    Endpoints: { plural: "endpoints", definition: "core", shortNames: ["ep"] },
    ConfigMap: { plural: "configmaps", definition: "core", shortNames: ["cm"], strategy: core.configMap },
    Secret: { plural: "secrets", definition: "core", strategy: core.secret },
    ServiceAccount: { plural: "serviceaccounts", definition: "core", shortNames: ["sa"] },
    Event: { plural: "events", definition: "core", shortNames: ["ev"], strategy: core.event },
    PersistentVolumeClaim: {
      plural: "persistentvolumeclaims",
      definition: "core",
      shortNames: ["pvc"],
      status: true,
      strategy: core.persistentVolumeClaim,
    },
    ResourceQuota: { plural: "resourcequotas", definition: "core", shortNames: ["quota"], status: true },
    LimitRange: { plural: "limitranges", definition: "core", shortNames: ["limits"] },
    Binding: { plural: "bindings", definition: "core", virtual: true },
  },
  "apps/v1": {
    Deployment: {
      plural: "deployments",
      definition: "apps",
      shortNames: ["deploy"],
      ...workload,
      scale: true,
      strategy: workloads.deployment,
    },
    ReplicaSet: { plural: "replicasets", definition: "apps", shortNames: ["rs"], ...workload, scale: true, strategy: workloads.replicaSet },
    DaemonSet: { plural: "daemonsets", definition: "apps", shortNames: ["ds"], ...workload, strategy: workloads.daemonSet },
    StatefulSet: {
      plural: "statefulsets",
      definition: "apps",
      shortNames: ["sts"],
      ...workload,
      scale: true,
      strategy: workloads.statefulSet,
    },
    ControllerRevision: { plural: "controllerrevisions", definition: "apps", strategy: networking.controllerRevision },
  },
  "batch/v1": {
    Job: { plural: "jobs", definition: "batch", ...workload, strategy: workloads.job },
    CronJob: { plural: "cronjobs", definition: "batch", shortNames: ["cj"], ...workload, strategy: workloads.cronJob },
  },
  "autoscaling/v2": {
    HorizontalPodAutoscaler: {
      plural: "horizontalpodautoscalers",
      definition: "autoscaling",
      shortNames: ["hpa"],
      inAll: true,
      status: true,
      strategy: core.autoscaler,
    },
  },
  "policy/v1": {
    PodDisruptionBudget: { plural: "poddisruptionbudgets", definition: "policy", shortNames: ["pdb"], status: true, generation: true },
  },
  "networking.k8s.io/v1": {
    Ingress: {
      plural: "ingresses",
      definition: "networking",
      shortNames: ["ing"],
      status: true,
      generation: true,
      strategy: networking.ingress,
    },
    IngressClass: { plural: "ingressclasses", definition: "networking", cluster: true, generation: true },
    NetworkPolicy: {
      plural: "networkpolicies",
      definition: "networking",
      shortNames: ["netpol"],
      generation: true,
      strategy: networking.networkPolicy,
    },
  },
  "discovery.k8s.io/v1": {
    EndpointSlice: { plural: "endpointslices", definition: "discovery", generation: true, strategy: networking.endpointSlice },
  },
  "coordination.k8s.io/v1": { Lease: { plural: "leases", definition: "coordination", strategy: networking.lease } },
  "rbac.authorization.k8s.io/v1": {
    Role: { plural: "roles", definition: "rbac" },
    RoleBinding: { plural: "rolebindings", definition: "rbac", strategy: networking.roleBinding },
    ClusterRole: { plural: "clusterroles", definition: "rbac", cluster: true },
    ClusterRoleBinding: { plural: "clusterrolebindings", definition: "rbac", cluster: true, strategy: networking.roleBinding },
  },
  "apiextensions.k8s.io/v1": {
    CustomResourceDefinition: {
      plural: "customresourcedefinitions",
      definition: "",
      shortNames: ["crd", "crds"],
      cluster: true,
      status: true,
      generation: true,
    },
  },
};

const replicas: ScalePaths = { spec: "spec.replicas", status: "status.replicas", selector: "spec.selector" };

/** Kubernetes' own kinds, as far as the sandbox has them. */
export function builtinKinds(): ResourceType[] {
  const schemaOf = builtinSchemas();
  return Object.entries(groups).flatMap(([groupVersion, rows]) => {
    const [group = "", version = ""] = groupVersion.includes("/") ? groupVersion.split("/") : ["", groupVersion];
    return Object.entries(rows).map(([kind, row]): ResourceType => {
      const definition =
        row.definition === "" ? `apiextensions-apiserver.pkg.apis.apiextensions.v1.${kind}` : `api.${row.definition}.${version}.${kind}`;
      return {
        group,
        version,
        kind,
        plural: row.plural,
        singular: kind.toLowerCase(),
        namespaced: row.cluster !== true,
        shortNames: row.shortNames ?? [],
        categories: row.inAll === true ? ["all"] : kind === "CustomResourceDefinition" ? ["api-extensions"] : [],
        schema: schemaOf(definition),
        definition,
        custom: false,
        status: row.status === true,
        generation: row.generation === true,
        scale: row.scale === true ? replicas : undefined,
        columns: builtinColumns[kind] ?? [ageColumn],
        strategy: row.strategy ?? {},
        virtual: row.virtual,
      };
    });
  });
}

/** The rule for names of this type. */
export function nameRuleOf({ kind, group }: ResourceType): NameRule {
  if (group === "rbac.authorization.k8s.io") return pathSegmentName;
  return group === "" && (kind === "Namespace" || kind === "Service") ? labelName : subdomainName;
}
