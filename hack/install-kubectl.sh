#!/usr/bin/env bash
# Builds kubectl from the Go module proxy into the folder given: `go install` alone refuses a module with replacements.
set -euo pipefail
version=1.36.3
bin=$(mkdir -p "$1" && cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
{
  printf 'module install-kubectl\ngo 1.26.0\ntool k8s.io/kubernetes/cmd/kubectl\nrequire k8s.io/kubernetes v%s\n' "$version"
  for module in api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider cluster-bootstrap \
    code-generator component-base component-helpers controller-manager cri-api cri-client cri-streaming csi-translation-lib \
    dynamic-resource-allocation endpointslice externaljwt kms kube-aggregator kube-controller-manager kube-proxy kube-scheduler \
    kubectl kubelet metrics mount-utils pod-security-admission sample-apiserver sample-cli-plugin sample-controller streaming; do
    printf 'replace k8s.io/%s => k8s.io/%s v0.%s\n' "$module" "$module" "${version#1.}"
  done
} > go.mod
go mod tidy
CGO_ENABLED=0 GOBIN="$bin" go install -trimpath -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=v$version" tool
