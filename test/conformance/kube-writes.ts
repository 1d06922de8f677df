import { randomUUID } from "node:crypto";
import { expect, test, vi } from "vitest";
import type { KubeObject, ObjectRef } from "../../src/api/object.ts";
import type { Kube, KubeError, WriteOptions } from "../../src/kube/kube.ts";

/** What its parts share with the suite. */
export interface Bench {
  /** Only once the suite has begun. */
  readonly kube: () => Kube;
  readonly namespace: string;
  readonly ref: (name: string) => ObjectRef;
  readonly aWidget: (name: string, spec?: object, metadata?: object) => KubeObject;
  /** A name that nothing has yet. */
  readonly fresh: () => string;
  /** The error that a call was refused with; fails when it was not. */
  readonly refusal: (call: Promise<unknown>) => Promise<KubeError>;
  readonly options: WriteOptions;
  readonly signal: AbortSignal;
}

/** What a write changes, what guards it, and what it leaves alone. */
export function writesConformance({ kube, namespace, ref, aWidget, fresh, refusal, options, signal }: Bench): void {
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

  test("an apply that names a version is for the object as it was then", async () => {
    const name = fresh();
    const { metadata } = await kube().apply(aWidget(name, { size: 1 }), options, signal);
    const asOf = (resourceVersion = "", size: number): KubeObject => {
      const widget = aWidget(name, { size });
      return { ...widget, metadata: { ...widget.metadata, resourceVersion } };
    };
    const second = await kube().apply(asOf(metadata.resourceVersion, 2), options, signal);
    expect(second["spec"]).toEqual({ size: 2 });
    expect(await refusal(kube().apply(asOf(metadata.resourceVersion, 3), options, signal))).toMatchObject({ code: 409, reason: "Conflict" });
    expect((await kube().get(ref(name), signal))["spec"]).toEqual({ size: 2 });
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
}
