{{/*
What the controller itself does in the namespaces that it works in, and nothing else: test/cluster compares these rules with
the API server's audit log, both ways. What Syncs apply is another role: sync.clusterRole.
*/}}
{{- define "serin.rules" -}}
# Its own kinds: follow them, and read one again after somebody else wrote to it.
- apiGroups: [serin.dev]
  resources: [gitrepositories, syncs, canaries, metrictemplates, reverts]
  verbs: [get, list, watch]
# Their finalizers; a webhook's request to fetch now; a person's word on a Revert that is taken up again.
- apiGroups: [serin.dev]
  resources: [gitrepositories, syncs, canaries, reverts]
  verbs: [patch]
# A failed release is recorded as a Revert.
- apiGroups: [serin.dev]
  resources: [reverts]
  verbs: [create]
# Every decision is written into a status first.
- apiGroups: [serin.dev]
  resources: [gitrepositories/status, syncs/status, canaries/status, metrictemplates/status, reverts/status]
  verbs: [patch]
# Needed where the API server asks who may set an owner reference that blocks deletion (OpenShift does).
- apiGroups: [serin.dev]
  resources: [canaries/finalizers]
  verbs: [update]
# A Canary makes <target>-primary, sets the target's replicas, and reads who owns which field of the target.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
# Whether the pods of a release run, and why not.
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
# What each revision consisted of: the way back, and the proof of what a commit changed.
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [get, list, watch, create, patch, delete]
# The Services <apex>, <apex>-primary and <apex>-canary that traffic is split between.
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch, create, patch, delete]
# The primary reads copies of its configs, so that a change of one is a release too.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [list, watch, create, patch, delete]
# As ConfigMaps; and the credentials that GitRepositories and MetricTemplates name.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
# The primary gets a copy of its target's autoscaler.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [list, watch, create, patch, delete]
# How traffic is shifted: provider gatewayapi:v1, and nginx.
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [list, watch, create, patch, delete]
# Nothing that serves is pruned before what replaces it does.
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
# What happened, in kubectl describe.
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
# Whether a namespace is going: its Reverts then take no branch with them.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
# A Sync with serviceAccountName writes as that ServiceAccount.
- apiGroups: [""]
  resources: [serviceaccounts]
  {{- with .Values.sync.serviceAccounts }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [impersonate]
{{- end -}}

{{/* What belongs to no namespace, or to the platform's: the same in both modes. */}}
{{- define "serin.clusterRules" -}}
# Which gateway a Canary's route belongs to, and so by which queries it is measured.
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways, gatewayclasses]
  verbs: [list, watch]
- apiGroups: [networking.k8s.io]
  resources: [ingressclasses]
  verbs: [list, watch]
# Its uid tells this cluster from a rebuilt one of the same name, in the commits of reverts.
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: [kube-system]
  verbs: [get]
{{- end -}}
