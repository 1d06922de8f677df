import type { KubeObject } from "../../api/object.ts";
import type { Kube } from "../../kube/kube.ts";
import { StalledError } from "../../lib/errors.ts";
import { isRecord } from "../../lib/json.ts";
import type { MetricServer } from "../../metrics/metric-provider.ts";

/** Credentials of a metric server from a Secret: `token`, or `username` and `password`. Throws StalledError when it has neither. */
export async function metricAuth(
  kube: Pick<Kube, "find">,
  ref: { namespace?: string | undefined; name: string },
  signal: AbortSignal,
): Promise<NonNullable<MetricServer["auth"]>> {
  const secret = await kube.find({ apiVersion: "v1", kind: "Secret", ...ref }, signal);
  const token = valueOf(secret, "token");
  if (token !== undefined) return { token };
  const username = valueOf(secret, "username");
  const password = valueOf(secret, "password");
  if (username !== undefined && password !== undefined) return { username, password };
  const problem = secret ? "has neither token nor username and password" : "not found";
  throw new StalledError("SecretUnusable", `Secret ${ref.namespace}/${ref.name}: ${problem}, though spec.provider.secretRef of a MetricTemplate names it`);
}

function valueOf(secret: KubeObject | undefined, key: string): string | undefined {
  const data = secret?.["data"];
  const value = isRecord(data) ? data[key] : undefined;
  return typeof value === "string" ? Buffer.from(value, "base64").toString("utf8").trim() : undefined;
}
