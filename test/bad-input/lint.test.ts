import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { crdOf } from "../../src/api/crd.ts";
import { kinds } from "../../src/api/kinds.ts";
import type { KubeObject } from "../../src/api/object.ts";
import { structuralSchema } from "../../src/api/structural.ts";
import { createJudge } from "../../src/cli/lint/admission.ts";
import type { Problem } from "../../src/cli/lint/problem.ts";
import { createKube, type KubeClient } from "../../src/kube/client.ts";
import { KubeError } from "../../src/kube/kube.ts";
import { serverAt } from "../../src/kube/kubeconfig.ts";
import { startApiServer } from "../../src/sandbox/api-server/api-server.ts";
import { applyMergePatch } from "../../src/sandbox/api-server/patches/merge-patch.ts";
import type { Schema } from "../../src/sandbox/api-server/schema.ts";
import { breaches } from "./broken-rules.ts";
import { leastOf } from "./valid.ts";
import { type WrongValue, wrongValues } from "./wrong-values.ts";

const signal = AbortSignal.timeout(120_000);
const options = { fieldManager: "lint" };
const judge = createJudge();

/** What lint adds to the server's words. */
const hint = /; (?:did you mean|write it like|it is in percent).*$/;

/** What `serin lint` says of an object; lines are tested elsewhere. */
function linted(object: KubeObject): Problem[] {
  return judge({ object, file: "a.yaml", lineOf: () => 1 });
}

describe("serin lint says of every wrong object what the API server says", () => {
  let server: Awaited<ReturnType<typeof startApiServer>>;
  let kube: KubeClient;
  beforeAll(async () => {
    server = await startApiServer();
    kube = createKube(serverAt(server.url));
    for (const kind of kinds) await kube.apply(crdOf(kind), options, signal);
  });
  afterAll(async () => {
    await kube.close();
    await server.close();
  });

  /** The words of the server for an object that is created. */
  async function refusal(object: KubeObject): Promise<string> {
    const thrown = await kube.create(object, { ...options, dryRun: true }, signal).then(() => undefined, (error: unknown) => error);
    return thrown instanceof KubeError ? thrown.message : `accepted: ${String(thrown)}`;
  }

  describe.each(kinds.map((kind) => [kind.kind, kind] as const))("%s", (_, kind) => {
    const valid = leastOf(kind.kind, "lint", "default");
    const wrongs = wrongValues(structuralSchema(kind.spec) as Schema, "spec", valid.spec);
    const [dropped, refused] = [wrongs.filter(isDropped), wrongs.filter((wrong) => !isDropped(wrong))];

    test("of each wrong value", async () => {
      for (const { path, value, fault } of refused) {
        const object = { ...valid, spec: value } as KubeObject;
        const words = await refusal(object);
        const problems = linted(object);
        const place = fault === "twice" ? path.replace(/\[\d+\]$/, "") : path;
        expect(problems.map(({ field }) => field)).toContainEqual(expect.stringContaining(place));
        for (const { message } of problems) expect(words).toContain(message.replace(hint, ""));
      }
    });

    test("of each rule that is broken", async () => {
      for (const { spec, edit, path } of Object.values(breaches[kind.kind] ?? {}).flat()) {
        if (edit) continue; // a change of something stored: files do not know what was there before
        const object = { ...valid, spec: applyMergePatch(valid.spec, spec) } as KubeObject;
        const problems = linted(object);
        expect(problems.map(({ field }) => field)).toContain(path);
        const words = await refusal(object);
        for (const { field, message } of problems) expect(words).toContain(`${field}: ${message}`);
      }
    });

    test("and names each field that would be dropped without a word, or is null", () => {
      for (const { path, value, fault } of dropped) {
        const problems = linted({ ...valid, spec: value } as KubeObject);
        const found = problems.find(({ field }) => field === path);
        expect([path, found?.message]).toEqual([path, expect.stringMatching(fault === "unknown" ? /^field not declared in schema/ : /null|Required/)]);
      }
    });

    test("and nothing of the least valid one", async () => {
      expect(linted(valid)).toEqual([]);
      expect(await refusal(valid)).toMatch(/^accepted/);
    });
  });
});

function isDropped({ fault }: WrongValue): boolean {
  return fault === "unknown" || fault === "null";
}

test.each<[string, object, string, string]>([
  ["a name that is no name", { name: "Shop" }, "metadata.name", "lowercase RFC 1123 subdomain"],
  ["a label that is no label", { name: "a", labels: { app: "-x-" } }, "metadata.labels", "valid label"],
  ["a number as label", { name: "a", labels: { app: 1 } }, "metadata", "cannot unmarshal number"],
  ["no name", { name: "" }, "metadata.name", "name or generateName is required"],
])("%s is told", (_, metadata, field, says) => {
  const object = { ...leastOf("Sync", "a", "default"), metadata: { namespace: "default", name: "", ...metadata } } as KubeObject;
  expect(linted(object)).toEqual([expect.objectContaining({ field, message: expect.stringContaining(says) as unknown })]);
});
