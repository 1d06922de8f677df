#!/usr/bin/env bash
# Brings up kind with Contour, Prometheus and Gitea, and prints how to use them. Run it again to mend what is missing.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
# shellcheck source=versions.sh
. "$here/versions.sh"
cluster=serin
registry=serin-registry
state="${XDG_STATE_HOME:-$HOME/.local/state}/serin-kind"
export KUBECONFIG="$state/kubeconfig"

say() { printf '%s\n' "$*" >&2; }

need() {
  command -v "$1" >/dev/null && return
  say "$1 is missing. Get it: $2"
  exit 1
}
need docker "https://docs.docker.com/engine/install"
need kind "go install sigs.k8s.io/kind@v$kind"
need kubectl "bash hack/install-kubectl.sh ~/.local/bin"
need curl "apt-get install curl"
need node "https://nodejs.org"
case "$(kind version)" in
  *"v$kind "*) ;;
  *) say "this is made for kind $kind: its node image fits no other. Get it: go install sigs.k8s.io/kind@v$kind"; exit 1 ;;
esac
mkdir -p "$state"
chmod 700 "$state"

if [ "$(docker inspect --format '{{.State.Running}}' "$registry" 2>/dev/null)" != true ]; then
  say "starting a registry"
  docker rm --force "$registry" >/dev/null 2>&1 || true
  docker run --detach --restart always --publish 127.0.0.1:5001:5000 --name "$registry" registry:3 >/dev/null
fi

if kind get clusters 2>/dev/null | grep -qx "$cluster"; then
  kind export kubeconfig --name "$cluster" --kubeconfig "$KUBECONFIG"
else
  kind create cluster --config "$here/cluster.yaml" --image "$node_image" --kubeconfig "$KUBECONFIG" --wait 3m
fi
# Nodes pull what is called serin.dev/… from our registry: what is not in it does not exist, as on the control plane.
docker network connect kind "$registry" 2>/dev/null || true
for node in $(kind get nodes --name "$cluster"); do
  docker exec "$node" mkdir -p /etc/containerd/certs.d/serin.dev
  printf 'server = "http://%s:5000"\n\n[host."http://%s:5000"]\n  capabilities = ["pull", "resolve"]\n' "$registry" "$registry" |
    docker exec --interactive "$node" cp /dev/stdin /etc/containerd/certs.d/serin.dev/hosts.toml
done

say "building images"
"$here/image.sh" 1 2 3 4 5 6 7 8 9 bad poor slow crash dying flap unready
version="$(node --print 'require(process.argv[1]).version' "$root/package.json")"
docker build --quiet --tag "localhost:5001/controller:$version" "$root" >/dev/null
docker push --quiet "localhost:5001/controller:$version" >/dev/null

apply() { kubectl apply --server-side --force-conflicts --field-manager hack-kind --filename "$1" >/dev/null; }

# A file of Contour's own, which must be the one that this was made with.
fetch() {
  local file="$state/contour-$contour-${1##*/}"
  [ -f "$file" ] || curl --fail --silent --show-error --location --output "$file" \
    "https://raw.githubusercontent.com/projectcontour/contour/v$contour/examples/$1"
  if ! printf '%s  %s\n' "$2" "$file" | sha256sum --check --quiet >&2; then
    rm "$file"
    say "examples/$1 of Contour $contour is not what it was"
    exit 1
  fi
  printf '%s\n' "$file"
}

say "starting Contour, Prometheus and Gitea"
contour_yaml="$(fetch render/contour.yaml "$contour_sum")"
apply "$(fetch gateway/00-crds.yaml "$gateway_crds_sum")"
apply "$contour_yaml"
apply "$root/crds"
kubectl wait --for condition=Established crd --all --timeout 2m >/dev/null
# gateway.yaml also holds Contour's settings, and those of its own file came before.
for file in gateway prometheus gitea; do apply "$here/$file.yaml"; done
kubectl --namespace projectcontour rollout restart deployment/contour >/dev/null
kubectl --namespace projectcontour rollout status deployment/contour --timeout 5m >/dev/null
kubectl --namespace projectcontour rollout status daemonset/envoy --timeout 5m >/dev/null
kubectl --namespace monitoring rollout status deployment/prometheus --timeout 5m >/dev/null
kubectl --namespace gitea rollout status deployment/gitea --timeout 5m >/dev/null
node "$here/accounts.ts" "$state/accounts.env"

cat <<TEXT

export KUBECONFIG=$KUBECONFIG

gateway      http://127.0.0.1:8080  (routes are told apart by the Host header)
Prometheus   http://127.0.0.1:9090  (inside http://prometheus.monitoring:9090)
Gitea        http://127.0.0.1:3000/acme  (inside http://gitea.gitea:3000/acme)
accounts     $state/accounts.env

for npm run test:e2e:  set -a && . $state/accounts.env && set +a
to end all of it:      hack/kind/down.sh
TEXT
