import { writeFileSync } from "node:fs";
import { Agent, request } from "undici";
import { z } from "zod";
import type { KubeClient } from "../../src/kube/client.ts";
import type { KubeConnection } from "../../src/kube/kubeconfig.ts";

/** Somebody who can be told apart in the audit log. */
export interface Identity {
  readonly username: string;
  readonly token: string;
  readonly kubeconfig: string;
}

const namespace = "bench";
const name = "controller";
const reply = z.object({ status: z.object({ token: z.string() }) });

/** A service account that may do everything, with a token for some hours and a kubeconfig at this path. */
export async function createIdentity(
  kube: KubeClient,
  connection: KubeConnection,
  path: string,
  signal: AbortSignal,
): Promise<Identity> {
  const apply = (object: Parameters<typeof kube.apply>[0]) => kube.apply(object, { fieldManager: "bench" }, signal);
  await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  await apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { namespace, name } });
  await apply({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name: "bench-controller" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [{ kind: "ServiceAccount", namespace, name }],
  });
  const token = await tokenFor(connection, signal);
  writeFileSync(path, kubeconfigFor(connection.server, token), { mode: 0o600 });
  return { username: `system:serviceaccount:${namespace}:${name}`, token, kubeconfig: path };
}

async function tokenFor(connection: KubeConnection, signal: AbortSignal): Promise<string> {
  const { headers, tls } = await connection.credentials();
  const dispatcher = new Agent({ connect: { ...tls } });
  try {
    const response = await request(`${connection.server}/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, {
      method: "POST",
      dispatcher,
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 14_400 } }),
      signal,
    });
    return reply.parse(await response.body.json()).status.token;
  } finally {
    await dispatcher.close();
  }
}

function kubeconfigFor(server: string, token: string): string {
  return `apiVersion: v1
kind: Config
clusters: [{name: bench, cluster: {server: "${server}", insecure-skip-tls-verify: true}}]
users: [{name: bench, user: {token: ${token}}}]
contexts: [{name: bench, context: {cluster: bench, user: bench}}]
current-context: bench
`;
}
