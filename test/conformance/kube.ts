import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type KubeObject, type ObjectRef, refOf } from "../../src/api/object.ts";
import { conflictsOf } from "../../src/kube/apply.ts";
import { createEvents } from "../../src/kube/events.ts";
import { createInformers } from "../../src/kube/informers.ts";
import { type Kube, KubeError, type KubeWatch, type WatchEvent } from "../../src/kube/kube.ts";
import { createElector } from "../../src/kube/lease.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";

/** What is put to the test: a client and the API server behind it. */
export interface Subject {
  readonly kube: Kube & KubeWatch;
  /** False for a fake that knows its kinds from the start and stores whatever it is given. */
  readonly checksSchema: boolean;
  /** Makes watches from older versions impossible, where the server can be told to. */
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
            spec: { type: "object", properties: { size: { type: "integer" }, colour: { type: "string" }, replicas: { type: "integer" } } },
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
      // A CRD is served a moment after it is stored.
      await vi.waitFor(async () => expect(await kube().list(widget, { namespace }, signal)).toEqual([]), {
        timeout: 20_000,
        interval: 100,
      });
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

    test("the same applied twice changes nothing", async () => {
      const name = fresh();
      const first = await kube().apply(aWidget(name), options, signal);
      const second = await kube().apply(aWidget(name), options, signal);
      expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
      const third = await kube().apply(aWidget(name, { size: 2 }), options, signal);
      expect(third).toMatchObject({ spec: { size: 2 }, metadata: { generation: 2 } });
    });

    test("an apply that names a uid is for the object that has it, and makes none", async () => {
      const name = fresh();
      const named = (uid = "", size = 1) => ({ ...aWidget(name, { size }), metadata: { namespace, name, uid } });
      expect(await refusal(kube().apply(named("0f7bdd0e-6ce6-4f2f-9e8d-1f5b0a3e2c4d"), options, signal))).toMatchObject({ code: 409, reason: "Conflict" });
      expect(await kube().find(ref(name), signal)).toBeUndefined();
      const { metadata } = await kube().apply(aWidget(name), options, signal);
      expect(await kube().apply(named(metadata.uid, 2), options, signal)).toMatchObject({ spec: { size: 2 }, metadata: { uid: metadata.uid } });
      const other = await refusal(kube().apply(named("0f7bdd0e-6ce6-4f2f-9e8d-1f5b0a3e2c4d", 3), options, signal));
      expect([409, 422]).toContain(other.code);
    });

    test("a dry run stores nothing", async () => {
      const name = fresh();
      expect(await kube().apply(aWidget(name), { ...options, dryRun: true }, signal)).toMatchObject({ spec: { size: 1 } });
      expect(await kube().find(ref(name), signal)).toBeUndefined();
    });

    test("a merge patch sets, keeps and removes, and a stale version is a Conflict", async () => {
      const name = fresh();
      const { metadata } = await kube().create(aWidget(name, { size: 1, colour: "red" }), options, signal);
      const patched = await kube().patch(
        ref(name),
        { metadata: { resourceVersion: metadata.resourceVersion }, spec: { size: 2, colour: null } },
        options,
        signal,
      );
      expect(patched["spec"]).toEqual({ size: 2 });
      const stale = kube().patch(
        ref(name),
        { metadata: { resourceVersion: metadata.resourceVersion }, spec: { size: 3 } },
        options,
        signal,
      );
      expect(await refusal(stale)).toMatchObject({ code: 409, reason: "Conflict" });
      expect((await refusal(kube().patch(ref(fresh()), { spec: {} }, options, signal))).code).toBe(404);
    });

    test("a write of the status leaves spec and generation alone, and the other way round", async () => {
      const name = fresh();
      await kube().create(aWidget(name), options, signal);
      const withStatus = await kube().patch(
        ref(name),
        { spec: { size: 9 }, status: { phase: "Ready" } },
        { ...options, subresource: "status" },
        signal,
      );
      expect(withStatus).toMatchObject({ spec: { size: 1 }, status: { phase: "Ready" }, metadata: { generation: 1 } });
      const withSpec = await kube().patch(ref(name), { spec: { size: 9 }, status: { phase: "No" } }, options, signal);
      expect(withSpec).toMatchObject({ spec: { size: 9 }, status: { phase: "Ready" }, metadata: { generation: 2 } });
    });

    test("a replace is guarded by the version it was read at", async () => {
      const name = fresh();
      const first = await kube().create(aWidget(name), options, signal);
      const second = await kube().replace({ ...first, spec: { size: 2 } }, options, signal);
      expect(second["spec"]).toEqual({ size: 2 });
      expect((await refusal(kube().replace({ ...first, spec: { size: 3 } }, options, signal))).reason).toBe("Conflict");
    });

    test("a delete is idempotent, spares another object of the name, and waits for finalizers", async () => {
      const name = fresh();
      await kube().delete(ref(name), {}, signal);
      const { metadata: { uid } } = await kube().create(aWidget(name, {}, { finalizers: ["serin.dev/finalizer"] }), options, signal);
      await kube().delete(ref(name), { uid: randomUUID() }, signal);
      expect((await kube().get(ref(name), signal)).metadata.deletionTimestamp).toBeUndefined();
      await kube().delete(ref(name), { uid }, signal);
      expect((await kube().get(ref(name), signal)).metadata.deletionTimestamp).toBeTruthy();
      await kube().patch(ref(name), { metadata: { finalizers: null } }, options, signal);
      await vi.waitFor(async () => expect(await kube().find(ref(name), signal)).toBeUndefined());
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
      if (!subject.expire) return context.skip();
      const { resourceVersion } = await kube().listPage(widget, { namespace, limit: 1 }, signal);
      await kube().create(aWidget(fresh()), options, signal);
      subject.expire();
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

    test("an apply gives fields up when they are left out, and keeps what others own", async () => {
      const name = fresh();
      await kube().apply(aWidget(name, { size: 1, colour: "red" }), options, signal);
      await kube().apply(aWidget(name, { replicas: 3 }), { fieldManager: "another" }, signal);
      const { spec } = await kube().apply(aWidget(name, { size: 1 }), options, signal);
      expect(spec).toEqual({ size: 1, replicas: 3 });
    });

    test("without force a field of another's is a conflict that names field and manager; with force it is taken", async () => {
      const name = fresh();
      await kube().apply(aWidget(name, { replicas: 3 }), { fieldManager: "autoscaler" }, signal);
      const error = await refusal(kube().apply(aWidget(name, { replicas: 5 }), { ...options, force: false }, signal));
      expect(conflictsOf(error)).toEqual([{ manager: "autoscaler", field: ".spec.replicas" }]);
      expect((await kube().apply(aWidget(name, { replicas: 5 }), options, signal))["spec"]).toEqual({ replicas: 5 });
    });

    test("items of keyed lists belong to their managers one by one", async () => {
      const container = (name: string, more: object = {}): object => ({ name, image: `${name}:1`, ...more });
      const deployment = (...containers: object[]): KubeObject => ({
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { namespace, name: "keyed" },
        spec: { selector: { matchLabels: { app: "a" } }, template: { metadata: { labels: { app: "a" } }, spec: { containers } } },
      });
      const imagesOf = ({ spec }: KubeObject): [string, string][] => {
        const { template } = spec as { template: { spec: { containers: { name: string; image: string }[] } } };
        return template.spec.containers.map(({ name, image }) => [name, image]);
      };
      await kube().apply(deployment(container("app"), container("proxy")), options, signal);
      await kube().apply(deployment(container("app", { image: "app:2" }), container("side")), { fieldManager: "another" }, signal);
      const left = await kube().apply(deployment(container("proxy")), options, signal);
      expect(imagesOf(left).toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual([["app", "app:2"], ["proxy", "proxy:1"], ["side", "side:1"]]);
      expect(ownersOf(left, "spec", "template", "spec", "containers")).toEqual({
        another: ['k:{"name":"app"}', 'k:{"name":"side"}'],
        "serin-conformance": ['k:{"name":"proxy"}'],
      });
    });

    test("what a patch, a status and a scale write change becomes theirs, and nobody else's any more", async () => {
      const deployment: KubeObject = {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { namespace, name: "scaled" },
        spec: {
          replicas: 1,
          minReadySeconds: 5,
          selector: { matchLabels: { app: "b" } },
          template: { metadata: { labels: { app: "b" } }, spec: { containers: [{ name: "app", image: "app:1" }] } },
        },
      };
      const at = refOf(deployment);
      const owners = async (): Promise<Record<string, string[]>> => {
        const fields = ownersOf(await kube().get(at, signal), "spec");
        return Object.fromEntries(
          Object.entries(fields).map(([who, set]) => [who, set.filter((field) => field === "f:replicas" || field === "f:minReadySeconds")]),
        );
      };
      await kube().apply(deployment, options, signal);
      await kube().patch(at, { spec: { replicas: 3 } }, { fieldManager: "autoscaler", subresource: "scale" }, signal);
      await kube().patch(at, { spec: { minReadySeconds: 7 } }, { fieldManager: "hand" }, signal);
      await kube().patch(at, { status: { observedGeneration: 1 } }, { fieldManager: "kubelet", subresource: "status" }, signal);
      expect(await owners()).toEqual({ "serin-conformance": [], "autoscaler scale": ["f:replicas"], hand: ["f:minReadySeconds"] });
      expect(((await kube().get(at, signal))["spec"] as { replicas: number }).replicas).toBe(3);
      await kube().apply({ ...deployment, spec: { replicas: 2 } }, { fieldManager: "serin-replicas" }, signal);
      expect(await owners()).toMatchObject({ "serin-conformance": [], hand: ["f:minReadySeconds"], "serin-replicas": ["f:replicas"] });
    });

    test.each<[string, object, RegExp]>([
      ["an unknown field", { sise: 1 }, /sise/],
      ["a value of another type", { size: "large" }, /size/],
    ])("an apply with %s is Invalid and names it, at once and not as trouble of the server", async (_, spec, named) => {
      if (!subject.checksSchema) return;
      const error = await refusal(kube().apply(aWidget(fresh(), spec), options, signal));
      expect([error.code, error.reason]).toSatisfy(([code]: [number, string]) => code >= 400 && code < 500);
      expect(error.message).toMatch(named);
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

/** Which fields below this one each manager owns; a subresource is named behind it. */
function ownersOf({ metadata }: KubeObject, ...path: string[]): Record<string, string[]> {
  const entries = (metadata.managedFields ?? []).flatMap(({ manager = "", subresource, fieldsV1 }): [string, string[]][] => {
    const below = path.reduce<unknown>((set, field) => (set as Record<string, unknown> | undefined)?.[`f:${field}`], fieldsV1);
    const who = subresource === undefined ? manager : `${manager} ${subresource}`;
    return below === undefined ? [] : [[who, Object.keys(below as object).sort()]];
  });
  return Object.fromEntries(entries);
}

/** What an event says of the object of this name. */
function saidOf(event: WatchEvent, name: string): string[] {
  if (event.type === "ERROR" || event.type === "BOOKMARK" || event.object.metadata.name !== name) return [];
  return [`${event.type} ${String((event.object["spec"] as { size?: number }).size)}`];
}
