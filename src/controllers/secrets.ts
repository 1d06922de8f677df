import type { KubeObject, ObjectRef } from "../api/object.ts";
import type { Kube } from "../kube/kube.ts";
import { isRecord } from "../lib/json.ts";

/** Gives the text of a Secret's key; `undefined` when the Secret has no such key or it is empty. */
export type SecretText = (key: string) => string | undefined;

/** Reads a Secret, each time anew, because credentials rotate; `undefined`: there is none of this name. */
export async function findSecret(
  kube: Pick<Kube, "find">,
  { namespace, name }: Pick<ObjectRef, "namespace" | "name">,
  signal: AbortSignal,
): Promise<SecretText | undefined> {
  const secret = await kube.find({ apiVersion: "v1", kind: "Secret", namespace, name }, signal);
  return secret && textOf(secret);
}

function textOf({ data }: KubeObject): SecretText {
  return (key) => {
    const value = isRecord(data) ? data[key] : undefined;
    if (typeof value !== "string") return undefined;
    // A line end at the end is most often an accident of the editor, and no key, password or token ends in one.
    const text = Buffer.from(value, "base64").toString("utf8").replace(/\r?\n$/, "");
    return text === "" ? undefined : text;
  };
}
