# syntax=docker/dockerfile:1
# docker build --tag registry.example/serin:0.1.0 .
# For another version string than package.json's: --build-arg VERSION=1.2.3
#
# The image needs no writable root file system. Give it two places to write:
#   /tmp               folders that kustomize renders in, each removed at once; small
#   /var/cache/serin   repositories as they were fetched (SERIN_GIT_DIRECTORY); a cache, may be lost at any time
# The chart mounts an emptyDir on each. For a base by digest: --build-arg NODE_IMAGE=node:…@sha256:…

ARG NODE_IMAGE=node:26.10.0-bookworm-slim
ARG GO_IMAGE=golang:1.26.2-bookworm

# The one file. Runs on the machine that builds: its output is the same for all.
FROM --platform=$BUILDPLATFORM ${NODE_IMAGE} AS bundle
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# Without install scripts: Node is in the image already, and nothing else that is bundled has any.
RUN npm ci --ignore-scripts
COPY hack/bundle.ts hack/licenses.ts hack/
COPY src src
ARG VERSION=""
RUN node hack/bundle.ts ${VERSION:+--version-string "$VERSION"}

# kustomize and helm, from source for the image's own processor: the versions that the tests meet. A module's h1 hash covers
# its go.mod and go.sum too, and Go refuses every dependency that differs from the checksum database.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS tools
ARG TARGETOS TARGETARCH
ARG KUSTOMIZE_VERSION=5.8.1
ARG KUSTOMIZE_SUM=h1:Pgsg5psubpVEy7Nf6S89PARg5VmmWUC1l9dC6Dl4PG0=
ARG HELM_VERSION=4.3.1
ARG HELM_SUM=h1:UndCoLe9UPmNoL7IvWzaUXveL7T5t/ijoorEmgJdI9g=
ENV CGO_ENABLED=0 GOFLAGS=-trimpath GOOS=${TARGETOS} GOARCH=${TARGETARCH}
WORKDIR /out
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
RUN go mod download -json "sigs.k8s.io/kustomize/kustomize/v5@v${KUSTOMIZE_VERSION}" | grep -F "\"Sum\": \"${KUSTOMIZE_SUM}\"" \
 && go install -ldflags "-s -w" "sigs.k8s.io/kustomize/kustomize/v5@v${KUSTOMIZE_VERSION}"
RUN go mod download -json "helm.sh/helm/v4@v${HELM_VERSION}" | grep -F "\"Sum\": \"${HELM_SUM}\"" \
 && go install -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=v${HELM_VERSION}" "helm.sh/helm/v4/cmd/helm@v${HELM_VERSION}"
# Go puts what it builds for another processor into a folder of its own.
RUN find /go/bin -type f -exec cp {} /out/ ';'

FROM ${NODE_IMAGE}
# What comes with the base and is not needed: whoever gets in shall find no package manager.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn* /opt/yarn*
COPY --from=tools /out/kustomize /out/helm /usr/local/bin/
COPY --from=bundle /src/dist/LICENSES.txt /licenses/
COPY --from=bundle /src/dist/serin.mjs /app/serin.mjs
COPY LICENSE /licenses/
LABEL org.opencontainers.image.title="serin" \
      org.opencontainers.image.description="Progressive delivery for Kubernetes in which Git stays true" \
      org.opencontainers.image.licenses="Apache-2.0"
# By number, so that a kubelet can tell that it is not root. Any other number will do as well.
USER 65532:65532
# One place for the C library to take memory from, instead of one for each thread, which each keep what they once had.
ENV NODE_ENV=production HOME=/tmp SERIN_GIT_DIRECTORY=/var/cache/serin/git MALLOC_ARENA_MAX=1
WORKDIR /tmp
EXPOSE 8080
# Node is the first process: it forwards nothing and needs no shell; it ends in order on SIGTERM and reaps its own children.
# A controller makes much that is thrown away at once: a large nursery for it would cost memory and win no time. What stays are copies of
# objects: a heap that may double before it is cleared would hold as much waste as there are objects.
ENTRYPOINT ["node", "--max-semi-space-size=4", "--heap-growing-percent=20", "/app/serin.mjs"]
CMD ["controller"]
