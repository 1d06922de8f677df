import { apiVersion } from "../../src/api/meta.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { autoscaler, canary, deployment, type Files, ingress, type ServiceOptions } from "./manifests.ts";
import type { Team, TeamOptions } from "./team.ts";

const group = { namespace: "v1", secret: "v1" } as const;

/** What the team's repository begins with, generated from its services. */
export function filesOf(team: Team, services: Readonly<Record<string, ServiceOptions>>, { canary: options = {} }: TeamOptions): Files {
  const files = Object.entries(services).flatMap(([name, service]) => [
    [`apps/${name}.yaml`, deployment(name, service)],
    [`apps/${name}-canary.yaml`, canary(name, team.host(name), options)],
    ...(options.provider === "nginx" ? [[`apps/${name}-ingress.yaml`, ingress(name, team.host(name))]] : []),
    ...(options.autoscaled === true ? [[`apps/${name}-autoscaler.yaml`, autoscaler(name)]] : []),
  ]);
  return Object.fromEntries(files) as Files;
}

/** What a platform team applies once: everything else comes from Git. */
export function clusterObjects({ place: { git }, namespace, repository }: Team, { interval = "2s", syncs = ["apps"] }: TeamOptions): KubeObject[] {
  const { login, token } = git.accounts.serin;
  return [
    { apiVersion: group.namespace, kind: "Namespace", metadata: { name: namespace } },
    {
      apiVersion: group.secret,
      kind: "Secret",
      metadata: { name: "git", namespace },
      type: "Opaque",
      stringData: { username: login, password: token },
    },
    {
      apiVersion,
      kind: "GitRepository",
      metadata: { name: "apps", namespace },
      spec: {
        url: `${git.url}/${git.organization}/${repository}.git`,
        ref: { branch: "main" },
        interval,
        secretRef: { name: "git" },
        host: { kind: "gitea" },
      },
    },
    ...syncs.map((path) => ({
      apiVersion,
      kind: "Sync",
      metadata: { name: path.replace(/^.*\//, ""), namespace },
      spec: { sourceRef: { name: "apps" }, path: `./${path}`, interval: "10s", prune: true, targetNamespace: namespace },
    })),
  ];
}
