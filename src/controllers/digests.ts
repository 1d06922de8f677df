import { randomBytes } from "node:crypto";
import { managers } from "../api/meta.ts";
import { keyOf, type KubeObject } from "../api/object.ts";
import { type Informers, type Kube, KubeError } from "../kube/kube.ts";
import { type Digest, keyedDigest } from "../lib/digest.ts";
import { isRecord } from "../lib/json.ts";

/** Secret with a namespace's key, beside the Secrets whose values it stands for: who may read it may read those as well. */
export const digestKeyName = "serin-digest-key";

const secretKind = { apiVersion: "v1", kind: "Secret" };
/** No Opaque one: nothing releases it. */
const keyType = "serin.dev/digest-key";

/** What stands for the values of Secrets in statuses and branches (see the decision on digests). */
export interface Digests {
  /** By the namespace's key, which is made when it is missing: comparable until somebody removes the key. */
  of(namespace: string, signal: AbortSignal): Promise<Digest>;
  /** By a key that only this process has: for what is compared here and now and kept nowhere. */
  readonly passing: Digest;
}

/** Reads keys by the shared informer of Secrets, so that most of the time it costs no request. */
export function createDigests({ kube, informers }: { kube: Kube; informers: Informers }): Digests {
  const secrets = informers.of(secretKind);
  return {
    passing: keyedDigest(randomBytes(32).toString("hex")),
    of: async (namespace, signal) => {
      await secrets.whenSynced(signal);
      const ref = { ...secretKind, namespace, name: digestKeyName };
      const known = keyIn(secrets.find(keyOf(ref))) ?? keyIn(await kube.find(ref, signal));
      return keyedDigest(known ?? (await createKey(kube, namespace, signal)));
    },
  };
}

function keyIn(secret: KubeObject | undefined): string | undefined {
  const data = secret?.["data"];
  const key = isRecord(data) ? data["key"] : undefined;
  return typeof key === "string" && key !== "" ? key : undefined;
}

/** Never an empty one: what is digested by a key that everybody knows can be guessed. */
async function createKey(kube: Kube, namespace: string, signal: AbortSignal): Promise<string> {
  const made = keyIn(await createdOrFound(kube, namespace, signal));
  if (made !== undefined) return made;
  throw new Error(`Secret ${namespace}/${digestKeyName}: has no key "key"; delete it, and another is made`);
}

async function createdOrFound(kube: Kube, namespace: string, signal: AbortSignal): Promise<KubeObject> {
  const metadata = { namespace, name: digestKeyName, labels: { "app.kubernetes.io/managed-by": "serin" } };
  const secret = { ...secretKind, metadata, type: keyType, data: { key: randomBytes(32).toString("base64") } };
  try {
    return await kube.create(secret, { fieldManager: managers.canary }, signal);
  } catch (error) {
    if (!(error instanceof KubeError && error.reason === "AlreadyExists")) throw error;
    return kube.get({ ...secretKind, namespace, name: digestKeyName }, signal);
  }
}
