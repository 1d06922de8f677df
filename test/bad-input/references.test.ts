import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { shopDeployment } from "../sandbox-cluster.ts";
import { stringify } from "yaml";
import type { KubeObject } from "../../src/api/object.ts";
import { lint, type LintResult } from "../../src/cli/lint/lint.ts";
import { canary, edits, namespace, neighbours, rows } from "./reference-rows.ts";
import { type ControllersWorld, startControllers } from "./world.ts";

let world: ControllersWorld;
beforeAll(async () => {
  world = await startControllers({});
});
afterAll(() => world.close());

/** What `serin lint` says of these manifests. */
async function linted(...objects: readonly KubeObject[]): Promise<LintResult> {
  const text = [...objects, ...neighbours].map((object) => stringify(object)).join("---\n");
  return lint([{ file: "all.yaml", text, found: false }], { defaults: {}, namespace: "default" });
}

describe.concurrent("a Canary that names what is not there is Stalled, touches nothing, and goes on by itself once it is", () => {
  test.each(Object.entries(rows))("%s", async (name, { given = [], spec = {}, reason, says, mend }) => {
    await world.apply(...given, shopDeployment(name), canary(name, spec));
    const stalled = await world.told("Canary", { namespace, name }, { type: "Stalled", status: "True", reason });
    for (const words of says) expect(stalled.message).toContain(words);
    // Most Secrets are not in Git: that one is not in the files says nothing.
    const said =
      reason === "SecretUnusable"
        ? { problems: [], unchecked: [`Secret ${namespace}/${name} is not in the files`] }
        : { problems: [{ kind: "Canary", name, reason, message: stalled.message }], unchecked: [] };
    expect(await linted(...given, shopDeployment(name), canary(name, spec))).toMatchObject(said);
    await world.told("Canary", { namespace, name }, { type: "Ready", status: "False", reason });
    const made = await world.kube.find(
      { apiVersion: "apps/v1", kind: "Deployment", namespace, name: `${name}-primary` },
      AbortSignal.timeout(5_000),
    );
    expect(made).toBeUndefined();
    await world.apply(...mend);
    const mended = given.filter(({ kind }) => !mend.some((other) => other.kind === kind));
    expect(await linted(...mended, ...mend, shopDeployment(name), canary(name, spec))).toMatchObject({ problems: [], unchecked: [] });
    await world.told("Canary", { namespace, name }, { type: "Reconciling", status: "True" });
  });
});

describe.concurrent("what only an edit can mend", () => {
  test.each(edits)("%s", async (_, object, reason, says) => {
    const { name } = object.metadata;
    await world.apply(shopDeployment(name), object);
    const { message } = await world.told(object.kind, { namespace, name }, { type: "Stalled", status: "True", reason });
    for (const words of says) expect(message).toContain(words);
    const { problems } = await linted(shopDeployment(name), object);
    expect(problems).toContainEqual(expect.objectContaining({ kind: object.kind, name, reason, message }));
  });
});
