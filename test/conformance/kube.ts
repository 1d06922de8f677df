import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { KubeObject, ObjectRef } from "../../src/api/object.ts";
import { createEvents } from "../../src/kube/events.ts";
import { createInformers } from "../../src/kube/informers.ts";
import { type Kube, KubeError, type KubeWatch, type StatusCause, type WatchEvent } from "../../src/kube/kube.ts";
import { createElector } from "../../src/kube/lease.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { ownershipConformance } from "./kube-ownership.ts";
import { type Bench, writesConformance } from "./kube-writes.ts";

/** What is put to the test: a client and the API server behind it. */
export interface Subject {
  readonly kube: Kube & KubeWatch;
  /** False for a fake that knows its kinds from the start and stores whatever it is given. */
  readonly checksSchema: boolean;
  /**
   * Makes watches from older versions impossible. Missing: the server has forgotten the very first by itself, as kube-apiserver has:
   * it answers watches from memory, which begins at the version at which a kind was first listed.
   */
  readonly expire?: (() => void) | undefined;
  stop(): Promise<void>;
}

const signal = AbortSignal.timeout(120_000);
const options = { fieldManager: "serin-conformance" };
const configMap = { apiVersion: "v1", kind: "ConfigMap" };
/** A kind of our own, so that the suite sees custom resources too. */
export const widget = { apiVersion: "conformance.serin.dev/v1", kind: "Widget" };

const crd: KubeObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.conformance.serin.dev" },
  spec: {
    group: "conformance.serin.dev",
    scope: "Namespaced",
    names: { kind: "Widget", plural: "widgets", singular: "widget", listKind: "WidgetList" },
    versions: [{
      name: "v1", served: true, storage: true, subresources: { status: {} },
      schema: {
        openAPIV3Schema: {
          type: "object",
          properties: {
            spec: {
              type: "object",
              properties: {
                size: { type: "integer" },
                replicas: { type: "integer" },
                colour: {
                  type: "string",
                  "x-kubernetes-validations": [
                    { rule: "self != 'beige'", message: "beige is no colour" },
                    { rule: "self == oldSelf", message: "colour cannot be changed", reason: "FieldValueForbidden" },
                  ],
                },
              },
              "x-kubernetes-validations": [
                { rule: "!has(self.replicas) || self.replicas <= 10 || has(self.size)", message: "more than ten need a size", fieldPath: ".replicas" },
              ],
            },
            status: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
          },
        },
      },
    }],
  },
};

/** What Serin needs of an API server, as tests. The fake, the sandbox and a real cluster pass the same. */
export function kubeConformance(name: string, start: () => Promise<Subject>): void {
  describe.each([name])("%s", () => {
    const namespace = `conformance-${randomUUID().slice(0, 8)}`;
    let subject: Subject;
    const kube = (): Subject["kube"] => subject.kube;
    const ref = (object: string): ObjectRef => ({ ...widget, namespace, name: object });
    const aWidget = (object: string, spec: object = { size: 1 }, metadata: object = {}): KubeObject => ({
      ...widget,
      metadata: { namespace, name: object, ...metadata },
      spec,
    });
    const fresh = (): string => `w-${randomUUID().slice(0, 8)}`;
    const refusal = async (call: Promise<unknown>): Promise<KubeError> => {
      const error = await call.then(() => undefined, (thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(KubeError);
      return error as KubeError;
    };

    beforeAll(async () => {
      subject = await start();
      if (!subject.checksSchema) return;
      await kube().create({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }, options, signal);
      await kube().apply(crd, options, signal);
      // A CRD is served a moment after it is stored, with the rules that it has now.
      const unruly = () => kube().apply(aWidget("unruly", { colour: "beige" }), { ...options, dryRun: true }, signal);
      await vi.waitFor(async () => expect((await refusal(unruly())).code).toBe(422), { timeout: 20_000, interval: 100 });
    });
    afterAll(async () => {
      if (subject.checksSchema) await kube().delete({ apiVersion: "v1", kind: "Namespace", name: namespace }, {}, signal);
      await subject.stop();
    });

    test("discovery knows plural and scope, and says so when it knows no such kind", async () => {
      expect(await kube().resource(widget, signal)).toMatchObject({ ...widget, plural: "widgets", namespaced: true });
      expect(await kube().resource({ ...widget, kind: "Nonsense" }, signal)).toBeUndefined();
      expect(await kube().find({ ...ref("x"), kind: "Nonsense" }, signal)).toBeUndefined();
      expect((await refusal(kube().list({ ...widget, kind: "Nonsense" }, {}, signal))).reason).toBe("NotFound");
      expect((await refusal(kube().apply({ ...aWidget("x"), kind: "Nonsense" }, options, signal))).reason).toBe("NotFound");
    });

    test("what is created is found, once", async () => {
      const name = fresh();
      expect(await kube().find(ref(name), signal)).toBeUndefined();
      expect((await refusal(kube().get(ref(name), signal))).code).toBe(404);
      const stored = await kube().create(aWidget(name), options, signal);
      expect(stored).toMatchObject({ ...widget, metadata: { namespace, name, generation: 1 }, spec: { size: 1 } });
      expect(stored.metadata.uid).toBeTruthy();
      expect((await kube().get(ref(name), signal)).metadata.resourceVersion).toBe(stored.metadata.resourceVersion);
      expect(await refusal(kube().create(aWidget(name), options, signal))).toMatchObject({ code: 409, reason: "AlreadyExists" });
    });

    test("lists select by namespace and label, and come in pages", async () => {
      const label = randomUUID().slice(0, 8);
      for (const index of [0, 1, 2, 3, 4])
        await kube().create(aWidget(`p-${label}-${index}`, {}, { labels: { batch: label } }), options, signal);
      const select = { namespace, labelSelector: `batch=${label}` };
      const all = await kube().list(widget, select, signal);
      expect(all.map(({ kind, apiVersion, metadata }) => `${apiVersion} ${kind} ${metadata.name}`).toSorted()).toEqual(
        [0, 1, 2, 3, 4].map((index) => `${widget.apiVersion} Widget p-${label}-${index}`),
      );
      expect(await kube().list(widget, { ...select, namespace: "elsewhere" }, signal)).toEqual([]);
      const first = await kube().listPage(widget, { ...select, limit: 2 }, signal);
      const second = await kube().listPage(widget, { ...select, limit: 2, continue: first.continue }, signal);
      const third = await kube().listPage(widget, { ...select, limit: 2, continue: second.continue }, signal);
      expect([first, second, third].map(({ items }) => items.length)).toEqual([2, 2, 1]);
      expect(third.continue).toBeUndefined();
      expect(new Set([first, second, third].flatMap(({ items }) => items.map(({ metadata }) => metadata.name))).size).toBe(5);
    });

    test("a watch tells every change since the list, in order", async () => {
      const name = fresh();
      const { resourceVersion } = await kube().listPage(widget, { namespace, limit: 500 }, signal);
      await kube().create(aWidget(name), options, signal);
      const seen: string[] = [];
      const done = new AbortController();
      const watching = (async () => {
        for await (const event of kube().watch(widget, { namespace, resourceVersion, timeoutSeconds: 60 }, done.signal))
          seen.push(...saidOf(event, name));
      })().catch(() => {});
      await vi.waitFor(() => expect(seen).toEqual(["ADDED 1"]));
      await kube().patch(ref(name), { spec: { size: 2 } }, options, signal);
      await kube().delete(ref(name), {}, signal);
      await vi.waitFor(() => expect(seen).toEqual(["ADDED 1", "MODIFIED 2", "DELETED 2"]));
      done.abort(new Error("seen enough"));
      await watching;
    });

    test("a watch from a forgotten version ends with 410", async (context) => {
      if (!subject.expire && !subject.checksSchema) return context.skip();
      const { resourceVersion: now } = await kube().listPage(widget, { namespace, limit: 1 }, signal);
      const resourceVersion = subject.expire ? now : "1";
      await kube().create(aWidget(fresh()), options, signal);
      subject.expire?.();
      await kube().create(aWidget(fresh()), options, signal);
      const events: WatchEvent[] = [];
      const watched = (async () => {
        for await (const event of kube().watch(widget, { namespace, resourceVersion, timeoutSeconds: 60 }, signal)) {
          events.push(event);
          if (event.type === "ERROR") throw new KubeError(event.status.code ?? 0, event.status.reason ?? "", "");
        }
      })();
      expect((await refusal(watched)).code).toBe(410);
    });

    test("an informer is current within moments", async () => {
      const abort = new AbortController();
      const informer = createInformers({ watch: kube(), log: silentLogger, namespaces: [namespace], signal: abort.signal }).of(widget);
      await informer.whenSynced(signal);
      const name = fresh();
      await kube().create(aWidget(name, { size: 5 }), options, signal);
      await vi.waitFor(() => expect(informer.find(`${namespace}/${name}`)?.["spec"]).toEqual({ size: 5 }));
      await kube().delete(ref(name), {}, signal);
      await vi.waitFor(() => expect(informer.find(`${namespace}/${name}`)).toBeUndefined());
      abort.abort(new Error("seen enough"));
    });

    test("an election is held and released", async () => {
      const elector = (identity: string) =>
        createElector({ kube: kube(), namespace, name: "election", identity, clock: systemClock, log: silentLogger });
      for (const identity of ["a", "b"]) {
        const candidate = elector(identity);
        await candidate.run(async () => {
          expect(candidate.canWrite()).toBe(true);
          const { spec } = await kube().get({ apiVersion: "coordination.k8s.io/v1", kind: "Lease", namespace, name: "election" }, signal);
          expect(spec).toMatchObject({ holderIdentity: identity });
          expect((spec as { renewTime: string }).renewTime).toMatch(/\.\d{6}Z$/);
        }, signal);
        expect(candidate.canWrite()).toBe(false);
      }
    });

    test("events are accepted and counted", async () => {
      const abort = new AbortController();
      const events = createEvents({ kube: kube(), component: "serin", clock: systemClock, log: silentLogger, signal: abort.signal });
      const about = await kube().create(aWidget(fresh()), options, signal);
      const written = async (): Promise<KubeObject[]> =>
        (await kube().list({ apiVersion: "v1", kind: "Event" }, { namespace }, signal)).filter(
          (event) => (event["involvedObject"] as { uid?: string }).uid === about.metadata.uid,
        );
      events.warning(about, "Odd", "it is odd");
      await vi.waitFor(async () => expect(await written()).toHaveLength(1));
      events.warning(about, "Odd", "it is odd");
      await events.flush();
      expect((await written()).map(({ count, reason, type }) => [count, reason, type])).toEqual([[2, "Odd", "Warning"]]);
      abort.abort(new Error("seen enough"));
    });

    const bench: Bench = { kube, namespace, ref, aWidget, fresh, refusal, options, signal };
    writesConformance(bench);
    ownershipConformance(bench);

    test.each<[string, object, RegExp]>([
      ["an unknown field", { sise: 1 }, /sise/],
      ["a value of another type", { size: "large" }, /size/],
    ])("an apply with %s is Invalid and names it, at once and not as trouble of the server", async (_, spec, named) => {
      if (!subject.checksSchema) return;
      const error = await refusal(kube().apply(aWidget(fresh(), spec), options, signal));
      expect([error.code, error.reason]).toSatisfy(([code]: [number, string]) => code >= 400 && code < 500);
      expect(error.message).toMatch(named);
    });

    test.each<[string, object, StatusCause]>([
      ["a text", { colour: "beige" }, { reason: "FieldValueInvalid", field: "spec.colour", message: 'Invalid value: "beige": beige is no colour' }],
      ["an object", { replicas: 11 }, { reason: "FieldValueInvalid", field: "spec.replicas", message: "Invalid value: more than ten need a size" }],
      ["a change", { colour: "blue" }, { reason: "FieldValueForbidden", field: "spec.colour", message: "Forbidden: colour cannot be changed" }],
    ])("what breaks a rule about %s is Invalid, and field and message say so", async (_, spec, cause) => {
      if (!subject.checksSchema) return;
      const name = fresh();
      await kube().apply(aWidget(name, { colour: "red" }), options, signal);
      const { code, reason, causes } = await refusal(kube().apply(aWidget(name, spec), options, signal));
      expect([code, reason]).toEqual([422, "Invalid"]);
      expect(causes).toContainEqual(cause);
    });

    test("built-in kinds come with apiVersion and kind, also in lists", async () => {
      await kube().apply({ ...configMap, metadata: { namespace, name: "plain" }, data: { a: "1" } }, options, signal);
      expect((await kube().list(configMap, { namespace }, signal)).find(({ metadata }) => metadata.name === "plain")).toMatchObject({
        ...configMap,
        data: { a: "1" },
      });
    });
  });
}

/** What an event says of the object of this name. */
function saidOf(event: WatchEvent, name: string): string[] {
  if (event.type === "ERROR" || event.type === "BOOKMARK" || event.object.metadata.name !== name) return [];
  return [`${event.type} ${String((event.object["spec"] as { size?: number }).size)}`];
}
