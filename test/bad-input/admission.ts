import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { crdOf } from "../../src/api/crd.ts";
import { kinds } from "../../src/api/kinds.ts";
import { apiVersion, type Kind, parseObject } from "../../src/api/meta.ts";
import type { KubeObject, ObjectRef } from "../../src/api/object.ts";
import { structuralSchema } from "../../src/api/structural.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { KubeError } from "../../src/kube/kube.ts";
import { applyMergePatch } from "../../src/sandbox/api-server/patches/merge-patch.ts";
import type { Schema } from "../../src/sandbox/api-server/schema.ts";
import { breaches, rulesOf } from "./broken-rules.ts";
import { leastOf } from "./valid.ts";
import { type WrongValue, wrongValues } from "./wrong-values.ts";

/** An API server to put the CustomResourceDefinitions to. */
export interface AdmissionSubject {
  readonly kube: KubeClient;
  stop(): Promise<void>;
}

const options = { fieldManager: "bad-input" };
const signal = AbortSignal.timeout(120_000);

/**
 * Whether every wrong object is refused, with words that help, and nothing of it is stored. All cases come from the schemas:
 * a new field, bound or rule is put to the test by being there.
 */
export function admissionSuite(name: string, start: () => Promise<AdmissionSubject>): void {
  describe.each([name])("%s", () => {
    const namespace = `bad-input-${randomUUID().slice(0, 8)}`;
    let subject: AdmissionSubject;
    let count = 0;
    const fresh = (): string => `w-${(count += 1)}`;
    const refOf = (kind: Kind, object: string): ObjectRef => ({ apiVersion, kind: kind.kind, namespace, name: object });
    const least = (kind: Kind, object = fresh()) => leastOf(kind.kind, object, namespace);

    beforeAll(async () => {
      subject = await start();
      const { kube } = subject;
      await kube.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }, options, signal);
      for (const kind of kinds) await kube.apply(crdOf(kind), options, signal);
      // A CRD is served a moment after it is stored.
      const patience = { timeout: 20_000, interval: 100 };
      for (const kind of kinds) await vi.waitFor(() => kube.create(least(kind, "base"), options, signal), patience);
    });
    afterAll(async () => {
      await subject.kube.delete({ apiVersion: "v1", kind: "Namespace", name: namespace }, {}, signal);
      await subject.stop();
    });

    describe.each(kinds.map((kind) => [kind.kind, kind] as const))("%s", (_, kind) => {
      const schema = structuralSchema(kind.spec) as Schema;
      const valid = leastOf(kind.kind, "base", "any").spec;

      test.each(grouped(wrongValues(schema, "spec", valid)))("%s", async (_path, wrongs) => {
        const { kube } = subject;
        for (const wrong of wrongs) {
          const object = { ...least(kind), spec: wrong.value };
          // Strict, as Sync and kubectl ask for it.
          const applied = await refusal(kube.apply(object, options, signal));
          // Where it is not told to be strict, a create drops what the kind does not have, and nulls.
          const created = isDropped(wrong) ? undefined : await refusal(kube.create(object, options, signal));
          expect(misleading(applied, named(object, wrong))).toBeUndefined();
          expect(misleading(created, explained(object, wrong))).toBeUndefined();
          expect(await kube.find(refOf(kind, object.metadata.name), signal)).toBeUndefined();
        }
      });

      const wrongStatus = wrongValues(structuralSchema(kind.status) as Schema, "status", {}).filter((wrong) => !isDropped(wrong));
      test.each(grouped(wrongStatus))("%s", async (_path, wrongs) => {
        const { kube } = subject;
        const ref = refOf(kind, "base");
        const before = await kube.get(ref, signal);
        for (const wrong of wrongs) {
          const patched = await refusal(kube.patch(ref, { status: wrong.value }, { ...options, subresource: "status" }, signal));
          expect(misleading(patched, explained(before, wrong))).toBeUndefined();
        }
        expect(await kube.get(ref, signal)).toEqual(before);
      });

      test("what an older CustomResourceDefinition let through is named by the controller too", () => {
        const overlooked = wrongValues(schema, "spec", valid)
          // Fields that the controller does not know do no harm, and lists are what the API server keeps keyed.
          .filter((wrong) => !isDropped(wrong) && wrong.fault !== "twice")
          .filter(({ path, value }) => {
            const parsed = parseObject(kind, { ...leastOf(kind.kind, "base", "any"), spec: value });
            return parsed.ok || !parsed.problems.some((problem) => problem.path === path);
          });
        expect(overlooked.map(({ path, fault }) => `${path}: ${fault}`)).toEqual([]);
      });

      const rules = new Set(rulesOf(schema).map(({ message, rule }) => message ?? rule));
      const broken = breaches[kind.kind] ?? {};

      test("every rule has an example that breaks it, and every example a rule", () => {
        expect(Object.keys(broken).toSorted()).toEqual([...rules].toSorted());
      });

      test.each(Object.entries(broken))("%s", async (says, list) => {
        const { kube } = subject;
        for (const { spec, edit, path } of list) {
          const object = { ...least(kind) };
          const first = { ...object, spec: applyMergePatch(object.spec, spec) } as KubeObject;
          if (edit) await kube.create(first, options, signal);
          const changed = (): Promise<unknown> => kube.patch(refOf(kind, object.metadata.name), { spec: edit }, options, signal);
          const attempts = edit ? [changed] : [() => kube.create(first, options, signal), () => kube.apply(first, options, signal)];
          for (const attempt of attempts) {
            expect(misleading(await refusal(attempt()), explained(object, { path, says }))).toBeUndefined();
          }
        }
      });

      test("and the least valid object is accepted as it is", async () => {
        const object = least(kind);
        expect(await subject.kube.apply(object, options, signal)).toMatchObject({ spec: object.spec });
      });
    });
  });
}

function isDropped({ fault }: WrongValue): boolean {
  return fault === "unknown" || fault === "null";
}

function grouped(wrongs: readonly WrongValue[]): [string, WrongValue[]][] {
  return [...Map.groupBy(wrongs, ({ path, fault }) => `${path}: ${fault}`)];
}

async function refusal(call: Promise<unknown>): Promise<string> {
  const outcome = await call.then(
    () => "accepted",
    (thrown: unknown) => thrown,
  );
  if (!(outcome instanceof KubeError)) return String(outcome);
  return `${outcome.code} ${outcome.message}`;
}

/** The words when they do not say what they should. */
function misleading(words: string | undefined, isRight: (words: string) => boolean): string | undefined {
  return words === undefined || isRight(words) ? undefined : words;
}

/** Whether the refusal names the object and the field, in either of the two forms the API server has for that. */
function named({ kind, metadata: { name } }: KubeObject, { path, fault }: WrongValue): (words: string) => boolean {
  const refused = `422 ${kind}.serin.dev "${name}" is invalid: `;
  const unfit = "422 failed to create typed patch object (";
  // An item with another's key is told by its list.
  const place = fault === "twice" ? path.replace(/\[\d+\]$/, "") : path;
  return (words) => {
    const isTyped = words.startsWith(unfit) && words.includes(`/${name}; ${apiVersion}, Kind=${kind}): `);
    return (isTyped || words.startsWith(refused)) && byIndex(words).includes(place);
  };
}

/** An apply names items of keyed lists by their keys, and those without one after the list: here all by their index. */
function byIndex(words: string): string {
  return words
    .replaceAll(/\[\w+=("[^"]*"|\d+)\]/g, "[0]")
    .replace(/(\S+): element (\d+): associative list with keys may not/, "$1[$2]: may not")
    .replace(/(\S+): element (\d+): associative list with keys has an element that omits all key fields \["(\w+)"\]/, "$1[$2].$3");
}

/** Whether the refusal names object and field and says what would be right. */
function explained({ kind, metadata: { name } }: KubeObject, { path, says }: { path: string; says: string }): (words: string) => boolean {
  const refused = `422 ${kind}.serin.dev "${name}" is invalid: `;
  // Of an integer that is none, the real server names the field after the words, and from its subresource on.
  const inside = ` in ${path.replace(/^status\./, "")}`;
  return (words) => words.startsWith(refused) && (words.includes(path) || words.includes(inside)) && words.includes(says);
}
