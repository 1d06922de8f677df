# Sourced by up.sh. test/control-plane/kind.test.ts holds these to hack/control-plane/recipe.ts.
# shellcheck shell=bash disable=SC2034

kind=0.33.0
# The image of this kind release for the Kubernetes minor that the control plane runs.
node_image=kindest/node:v1.36.4@sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed
contour=1.33.8
# Of the files under examples/ in Contour's repository at this version.
contour_sum=5738381ac751bf5983c6125f6ee0489b2e2ab2b8bf732c7de409476f3b103696
gateway_crds_sum=3e7a27e4456ff3d68606a6a8516306aaff354d6f0950b32bb31930669b7bf8b8
