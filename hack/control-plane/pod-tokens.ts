import { Agent, request } from "undici";
import { z } from "zod";
import type { KubeConnection } from "../../src/kube/kubeconfig.ts";
import type { ProcessImage } from "../../src/sandbox/node/process-program.ts";

/** As long as a kubelet asks for when the pod does not say. */
const defaultSeconds = 3_607;
const limitMs = 30_000;

/** Asks the API server for tokens of pods' ServiceAccounts, bound to the pod, as a kubelet does. */
export function tokenMint(connection: KubeConnection): ProcessImage["mintToken"] {
  const reply = z.object({ status: z.object({ token: z.string() }) });
  return async ({ metadata, spec }, { audience, expirationSeconds = defaultSeconds }, signal) => {
    const { headers, tls } = await connection.credentials();
    const dispatcher = new Agent({ connect: { ...tls } });
    const account = encodeURIComponent(spec.serviceAccountName ?? "default");
    const url = `${connection.server}/api/v1/namespaces/${metadata.namespace}/serviceaccounts/${account}/token`;
    const body = JSON.stringify({
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: {
        ...(audience === undefined ? {} : { audiences: [audience] }),
        expirationSeconds,
        boundObjectRef: { apiVersion: "v1", kind: "Pod", name: metadata.name, uid: metadata.uid },
      },
    });
    try {
      const answer = await request(url, {
        dispatcher,
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body,
        signal: AbortSignal.any([signal, AbortSignal.timeout(limitMs)]),
      });
      const text = await answer.body.text();
      if (answer.statusCode !== 201) throw new Error(`no token for ServiceAccount ${metadata.namespace}/${account}: ${text.slice(0, 300)}`);
      return reply.parse(JSON.parse(text)).status.token;
    } finally {
      await dispatcher.close();
    }
  };
}
