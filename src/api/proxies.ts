/** Proxies whose metrics we know. */
export const proxyNames = ["contour", "ingress-nginx"] as const;
export type ProxyName = (typeof proxyNames)[number];

/** The two versions of a service, as the names of their Services end. */
export type Version = "canary" | "primary";

/** The apex Service of a Canary: `<service>-canary` and `<service>-primary` stand beside it. */
export interface ApexService {
  readonly namespace: string;
  readonly service: string;
}

/** What Contour names Envoy's cluster of one version: `<namespace>_<service>-<version>_<port>`. */
export function envoyCluster({ namespace, service, port }: ApexService & { readonly port: number }, version: Version): string {
  return `${namespace}_${service}-${version}_${port}`;
}

/**
 * How ingress-nginx's name of the canary's upstream begins; the port or its name follows. Requests carry it in the label `canary`, which
 * is empty for those of the primary, beside the apex Service in the label `service`.
 */
export function nginxCanaryUpstream({ namespace, service }: ApexService): string {
  return `${namespace}-${service}-canary-`;
}
