#!/usr/bin/env bash
# Builds serin.dev/shop:TAG for each tag that is named, and serin.dev/idle:1, and pushes them to the cluster's registry.
set -euo pipefail
root="$(cd "$(dirname "$0")/../.." && pwd)"
file="$root/hack/kind/Dockerfile"

# What it does is in the tag, which a container does not know: it is told.
for tag in "$@"; do
  docker build --quiet --file "$file" --target shop --build-arg "TAG=$tag" --tag "localhost:5001/shop:$tag" "$root" >/dev/null
  docker push --quiet "localhost:5001/shop:$tag" >/dev/null
done
docker build --quiet --file "$file" --target idle --tag localhost:5001/idle:1 "$root" >/dev/null
docker push --quiet localhost:5001/idle:1 >/dev/null
