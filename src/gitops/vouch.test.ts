import { expect, test } from "vitest";
import type { KubeObject, ObjectMeta } from "../api/object.ts";
import { isSurelyValid } from "./vouch.ts";

const config = (fields: object = {}, metadata: Partial<ObjectMeta> = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: {
    namespace: "shop",
    name: "web",
    labels: { app: "web", "serin.dev/sync-name": "" },
    annotations: { "a.b/c": "any text" },
    ...metadata,
  },
  data: { "key.yaml": "x", _b: "" },
  ...fields,
});
const secret = (fields: object = {}): KubeObject => ({ ...config({ data: { password: "aHVudGVyMg==" }, ...fields }), kind: "Secret" });

test.each<[string, KubeObject]>([
  ["a plain ConfigMap", config()],
  ["one without data", config({ data: undefined })],
  ["a Secret", secret()],
  ["a Secret that says that it is Opaque", secret({ type: "Opaque" })],
])("vouches for %s", (_, object) => {
  expect(isSurelyValid(object, undefined)).toBe(true);
});

test.each<[string, KubeObject, KubeObject?]>([
  ["another kind", { ...config(), kind: "Service" }],
  ["a ConfigMap of somebody else's API", { ...config(), apiVersion: "example.com/v1" }],
  ["a kind with the name of a built-in property", { ...config(), kind: "constructor" }],
  ["an unknown field", config({ dta: {} })],
  ["an unknown field of metadata", config({}, { clusterName: "x" } as object)],
  ["an immutable one", config({ immutable: true })],
  ["a change of an immutable one", config(), config({ immutable: true })],
  ["binary data", config({ binaryData: { a: "AA==" } })],
  ["a name that is none", config({}, { name: "Not_A_Name" })],
  ["a name that is too long", config({}, { name: "a".repeat(254) })],
  ["no namespace", config({}, { namespace: undefined as never })],
  ["a label with a space", config({}, { labels: { app: "a b" } })],
  ["labels that are a list", config({}, { labels: ["app"] as never })],
  ["annotations that are a list", config({}, { annotations: ["note"] as never })],
  ["a label of a number", config({}, { labels: { app: 1 as never } })],
  ["a label with two slashes", config({}, { labels: { "a/b/c": "x" } })],
  ["an annotation without a name", config({}, { annotations: { "a.b/": "x" } })],
  ["very long annotations", config({}, { annotations: { a: "x".repeat(200_000) } })],
  ["a value that is a number", config({ data: { k: 1 } })],
  ["a key with a slash", config({ data: { "a/b": "x" } })],
  ["a key that leads up", config({ data: { "..a": "x" } })],
  ["data that is a list", config({ data: ["x"] })],
  ["very much data", config({ data: { k: "x".repeat(600_000) } })],
  ["a Secret whose value is not base64", secret({ data: { password: "hunter2" } })],
  ["a Secret of a type with rules", secret({ type: "kubernetes.io/tls" })],
  ["a Secret that had such a type", secret(), secret({ type: "kubernetes.io/tls" })],
])("leaves %s to the API server", (_, object, live) => {
  expect(isSurelyValid(object, live)).toBe(false);
});
