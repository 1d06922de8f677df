import { z } from "zod";
import type { KindRef, ObjectMeta } from "../api/object.ts";
import { isRecord } from "../lib/json.ts";

/** The kinds that the sandbox's own parts read and write. */
export const kinds = {
  pod: { apiVersion: "v1", kind: "Pod" },
  node: { apiVersion: "v1", kind: "Node" },
  service: { apiVersion: "v1", kind: "Service" },
  configMap: { apiVersion: "v1", kind: "ConfigMap" },
  secret: { apiVersion: "v1", kind: "Secret" },
  deployment: { apiVersion: "apps/v1", kind: "Deployment" },
  replicaSet: { apiVersion: "apps/v1", kind: "ReplicaSet" },
  endpointSlice: { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice" },
  autoscaler: { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler" },
  ingress: { apiVersion: "networking.k8s.io/v1", kind: "Ingress" },
  gatewayClass: { apiVersion: "gateway.networking.k8s.io/v1", kind: "GatewayClass" },
  gateway: { apiVersion: "gateway.networking.k8s.io/v1", kind: "Gateway" },
  httpRoute: { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute" },
} as const satisfies Record<string, KindRef>;

/** Field manager of all writes by the sandbox's own parts. */
export const fieldManager = "sandbox";

const text = z.record(z.string(), z.string());
const count = z.int().min(0);
const metadata = z.custom<ObjectMeta>((value) => isRecord(value) && typeof value["name"] === "string");
/** apiVersion, kind and metadata, as every object has them. */
const head = { apiVersion: z.string(), kind: z.string(), metadata };

const selector = z.looseObject({
  matchLabels: text.optional(),
  matchExpressions: z.array(z.looseObject({ key: z.string(), operator: z.string(), values: z.array(z.string()).optional() })).optional(),
});

/** A condition of a built-in kind. Deployments also have `lastUpdateTime`, probes of pods `lastProbeTime`. */
const condition = z.looseObject({
  type: z.string(),
  status: z.string(),
  reason: z.string().optional(),
  message: z.string().optional(),
  lastTransitionTime: z.string().optional(),
  lastUpdateTime: z.string().optional(),
});
export type StatusCondition = z.infer<typeof condition>;

const containerPort = z.looseObject({ name: z.string().optional(), containerPort: z.int(), protocol: z.string().default("TCP") });
const intOrString = z.union([z.int(), z.string()]);
const probe = z.looseObject({
  httpGet: z
    .looseObject({
      path: z.string().default("/"),
      port: intOrString,
      httpHeaders: z.array(z.object({ name: z.string(), value: z.string() })).optional(),
    })
    .optional(),
  tcpSocket: z.looseObject({ port: intOrString }).optional(),
  exec: z.looseObject({ command: z.array(z.string()).default([]) }).optional(),
  initialDelaySeconds: count.default(0),
  periodSeconds: z.int().min(1).default(10),
  timeoutSeconds: z.int().min(1).default(1),
  successThreshold: z.int().min(1).default(1),
  failureThreshold: z.int().min(1).default(3),
});
export type Probe = z.infer<typeof probe>;

const keyRef = z.looseObject({ name: z.string(), key: z.string(), optional: z.boolean().optional() });
const sourceRef = z.looseObject({ name: z.string(), optional: z.boolean().optional() });
const envVar = z.looseObject({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z
    .looseObject({
      configMapKeyRef: keyRef.optional(),
      secretKeyRef: keyRef.optional(),
      fieldRef: z.looseObject({ fieldPath: z.string() }).optional(),
    })
    .optional(),
});
const container = z.looseObject({
  name: z.string(),
  image: z.string().default(""),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()).optional(),
  ports: z.array(containerPort).default([]),
  env: z.array(envVar).default([]),
  envFrom: z
    .array(z.looseObject({ prefix: z.string().optional(), configMapRef: sourceRef.optional(), secretRef: sourceRef.optional() }))
    .default([]),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string(), subPath: z.string().optional() })).default([]),
  readinessProbe: probe.optional(),
  livenessProbe: probe.optional(),
  resources: z.looseObject({ requests: z.record(z.string(), intOrString).optional() }).optional(),
  startupProbe: probe.optional(),
  lifecycle: z.looseObject({ preStop: z.looseObject({ sleep: z.looseObject({ seconds: z.int() }).optional() }).optional() }).optional(),
  securityContext: z.looseObject({ runAsUser: z.int().optional(), readOnlyRootFilesystem: z.boolean().optional() }).optional(),
});
export type Container = z.infer<typeof container>;

const keyToPath = z.array(z.looseObject({ key: z.string(), path: z.string() })).optional();
const volumeSource = {
  configMap: z.looseObject({ name: z.string(), items: keyToPath, optional: z.boolean().optional() }).optional(),
  secret: z
    .looseObject({ name: z.string().optional(), secretName: z.string().optional(), items: keyToPath, optional: z.boolean().optional() })
    .optional(),
};
const fieldPath = z.looseObject({ path: z.string(), fieldRef: z.looseObject({ fieldPath: z.string() }).optional() });
const projectedSource = z.looseObject({
  ...volumeSource,
  downwardAPI: z.looseObject({ items: z.array(fieldPath).default([]) }).optional(),
  serviceAccountToken: z
    .looseObject({ path: z.string(), audience: z.string().optional(), expirationSeconds: z.int().optional() })
    .optional(),
});
const volume = z.looseObject({
  name: z.string(),
  ...volumeSource,
  emptyDir: z.looseObject({ medium: z.string().optional(), sizeLimit: z.string().optional() }).optional(),
  projected: z.looseObject({ sources: z.array(projectedSource).default([]) }).optional(),
});
export type Volume = z.infer<typeof volume>;

const podSpec = z.looseObject({
  nodeName: z.string().optional(),
  nodeSelector: text.optional(),
  serviceAccountName: z.string().optional(),
  securityContext: z.looseObject({ runAsUser: z.int().optional() }).optional(),
  restartPolicy: z.enum(["Always", "OnFailure", "Never"]).default("Always"),
  terminationGracePeriodSeconds: z.number().default(30),
  containers: z.array(container).min(1),
  initContainers: z.array(container).default([]),
  volumes: z.array(volume).default([]),
});

const containerState = z.looseObject({
  waiting: z.looseObject({ reason: z.string().optional(), message: z.string().optional() }).optional(),
  running: z.looseObject({ startedAt: z.string().optional() }).optional(),
  terminated: z.looseObject({ exitCode: z.int(), reason: z.string().optional() }).optional(),
});

/** A Pod, as far as the sandbox reads it. */
export const pod = z.looseObject({
  ...head,
  spec: podSpec,
  status: z
    .looseObject({
      phase: z.string().optional(),
      qosClass: z.string().optional(),
      podIP: z.string().optional(),
      conditions: z.array(condition).default([]),
      containerStatuses: z
        .array(z.looseObject({ name: z.string(), ready: z.boolean(), restartCount: count, state: containerState.optional() }))
        .default([]),
    })
    .prefault({}),
});
export type Pod = z.infer<typeof pod>;

const template = z.looseObject({
  metadata: z.looseObject({ labels: text.optional(), annotations: text.optional() }).optional(),
  spec: z.looseObject({ containers: z.array(z.looseObject({ name: z.string() })) }),
});
export type PodTemplate = z.infer<typeof template>;

const setStatus = z.looseObject({
  observedGeneration: z.int().optional(),
  replicas: count.default(0),
  fullyLabeledReplicas: count.optional(),
  readyReplicas: count.optional(),
  availableReplicas: count.optional(),
  conditions: z.array(condition).optional(),
});

/** A ReplicaSet, as far as the sandbox reads it. */
export const replicaSet = z.looseObject({
  ...head,
  spec: z.looseObject({ replicas: count.default(1), minReadySeconds: count.default(0), selector, template }),
  status: setStatus.prefault({}),
});
export type ReplicaSet = z.infer<typeof replicaSet>;

/** A Deployment with the API server's defaults. */
export const deployment = z.looseObject({
  ...head,
  spec: z.looseObject({
    replicas: count.default(1),
    minReadySeconds: count.default(0),
    revisionHistoryLimit: count.default(10),
    progressDeadlineSeconds: count.default(600),
    paused: z.boolean().default(false),
    strategy: z
      .looseObject({
        type: z.enum(["RollingUpdate", "Recreate"]).default("RollingUpdate"),
        rollingUpdate: z.looseObject({ maxSurge: intOrString.default("25%"), maxUnavailable: intOrString.default("25%") }).prefault({}),
      })
      .prefault({}),
    selector,
    template,
  }),
  status: z
    .looseObject({
      observedGeneration: z.int().optional(),
      replicas: count.optional(),
      updatedReplicas: count.optional(),
      readyReplicas: count.optional(),
      availableReplicas: count.optional(),
      unavailableReplicas: count.optional(),
      collisionCount: count.optional(),
      conditions: z.array(condition).optional(),
    })
    .prefault({}),
});
export type Deployment = z.infer<typeof deployment>;

const servicePort = z.looseObject({
  name: z.string().optional(),
  port: z.int(),
  targetPort: intOrString.optional(),
  protocol: z.string().default("TCP"),
  appProtocol: z.string().optional(),
});
/** A Service, as far as the sandbox reads it. */
export const service = z.looseObject({
  ...head,
  spec: z
    .looseObject({
      type: z.string().optional(),
      selector: text.optional(),
      ports: z.array(servicePort).default([]),
      publishNotReadyAddresses: z.boolean().default(false),
    })
    .prefault({}),
});
export type Service = z.infer<typeof service>;

/** An EndpointSlice, as far as the sandbox reads it. */
export const endpointSlice = z.looseObject({
  ...head,
  addressType: z.string(),
  endpoints: z
    .array(
      z.looseObject({
        addresses: z.array(z.string()),
        conditions: z
          .looseObject({ ready: z.boolean().optional(), serving: z.boolean().optional(), terminating: z.boolean().optional() })
          .optional(),
        targetRef: z
          .looseObject({ kind: z.string(), name: z.string(), namespace: z.string().optional(), uid: z.string().optional() })
          .optional(),
      }),
    )
    .nullish()
    .transform((endpoints) => endpoints ?? []),
  ports: z
    .array(z.looseObject({ name: z.string().optional(), port: z.int().optional(), protocol: z.string().optional() }))
    .nullish()
    .transform((ports) => ports ?? []),
});
export type EndpointSlice = z.infer<typeof endpointSlice>;

/** A HorizontalPodAutoscaler, as far as the sandbox reads it. */
export const autoscaler = z.looseObject({
  ...head,
  spec: z.looseObject({
    scaleTargetRef: z.looseObject({ apiVersion: z.string(), kind: z.string(), name: z.string() }),
    minReplicas: count.default(1),
    maxReplicas: z.int().min(1),
  }),
  status: z
    .looseObject({
      observedGeneration: z.int().optional(),
      currentReplicas: count.optional(),
      desiredReplicas: count.optional(),
      conditions: z.array(condition).optional(),
    })
    .prefault({}),
});
export type Autoscaler = z.infer<typeof autoscaler>;
