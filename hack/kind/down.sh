#!/usr/bin/env bash
# Ends what up.sh began, and removes it.
set -euo pipefail
state="${XDG_STATE_HOME:-$HOME/.local/state}/serin-kind"
kind delete cluster --name serin --kubeconfig "$state/kubeconfig"
docker rm --force --volumes serin-registry >/dev/null
rm -rf "$state"
