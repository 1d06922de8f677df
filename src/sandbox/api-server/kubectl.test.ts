import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { crdOf } from "../../api/crd.ts";
import { kinds } from "../../api/kinds.ts";
import { hasTool } from "../../../test/tools.ts";
import { type ApiServer, startApiServer } from "./api-server.ts";
import { type TestClient, testClient } from "./test-client.ts";

/** What kubectl printed: both streams, and whether it succeeded. */
interface Run {
  readonly ok: boolean;
  readonly text: string;
}

describe.skipIf(!hasTool("kubectl"))("the real kubectl", () => {
  let server: ApiServer;
  let client: TestClient;
  let folder: string;
  const kubectl = async (...args: string[]): Promise<Run> => {
    try {
      const { stdout, stderr } = await promisify(execFile)(
        "kubectl",
        ["--kubeconfig", join(folder, "kubeconfig"), "--cache-dir", join(folder, "cache"), ...args],
        { timeout: 20_000 },
      );
      return { ok: true, text: stdout + stderr };
    } catch (error) {
      const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
      return { ok: false, text: stdout + stderr };
    }
  };
  const file = (name: string, content: unknown): string => {
    const path = join(folder, name);
    writeFileSync(path, stringify(content));
    return path;
  };
  const web = (image: string, extra: object = {}): object => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "app", image, ports: [{ containerPort: 80 }] }] } },
      ...extra,
    },
  });
  beforeAll(async () => {
    server = await startApiServer();
    client = testClient(server);
    folder = mkdtempSync(join(tmpdir(), "serin-kubectl-"));
    writeFileSync(join(folder, "kubeconfig"), server.kubeconfig());
  });
  afterAll(async () => {
    await client.close();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("applies CRDs", async () => {
    const { text } = await kubectl("apply", "--server-side", ...kinds.flatMap((kind) => ["-f", file(`${kind.plural}.yaml`, crdOf(kind))]));
    expect(text.match(/serverside-applied/g)).toHaveLength(kinds.length);
  });

  test("applies from the client's side: created, unchanged, configured, and pruned of what left the file", async () => {
    const first = file("web.yaml", web("shop:1", { replicas: 2 }));
    expect((await kubectl("apply", "-f", first)).text).toContain("deployment.apps/web created");
    expect((await kubectl("apply", "-f", first)).text).toContain("deployment.apps/web unchanged");
    expect((await kubectl("apply", "-f", file("web2.yaml", web("shop:2")))).text).toContain("deployment.apps/web configured");
    expect((await kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image}")).text).toBe(
      "1 shop:2",
    );
  });

  test("applies from the server's side, meets a conflict, and forces it", async () => {
    const theirs = file("theirs.yaml", web("other:1"));
    const refused = await kubectl("apply", "--server-side", "--field-manager=them", "-f", theirs);
    expect([refused.ok, refused.text]).toEqual([
      false,
      expect.stringContaining('conflict with "kubectl-client-side-apply" using apps/v1: .spec.template.spec.containers[name="app"].image'),
    ]);
    expect((await kubectl("apply", "--server-side", "--field-manager=them", "--force-conflicts", "-f", theirs)).text).toContain(
      "serverside-applied",
    );
  });

  test("shows a strict error for an unknown field", async () => {
    const { ok, text } = await kubectl("apply", "-f", file("typo.yaml", web("shop:1", { replica: 2 })));
    expect([ok, text]).toEqual([false, expect.stringContaining('strict decoding error: unknown field "spec.replica"')]);
  });

  test("shows tables, wide ones too", async () => {
    expect((await kubectl("get", "deployments")).text).toMatch(/NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0\/1 +0 +0 +\d+s/);
    expect((await kubectl("get", "deploy", "-o", "wide", "-A")).text).toMatch(
      /NAMESPACE +NAME.*CONTAINERS +IMAGES +SELECTOR\ndefault +web/,
    );
    expect((await kubectl("get", "canaries,syncs,reverts")).text).toContain("No resources found");
  });

  test("scales, restarts and edits", async () => {
    expect((await kubectl("scale", "deploy/web", "--replicas=3")).text).toContain("scaled");
    expect((await kubectl("rollout", "restart", "deploy/web")).text).toContain("restarted");
    expect(
      (
        await kubectl(
          "patch",
          "deploy",
          "web",
          "-p",
          '{"spec":{"template":{"spec":{"containers":[{"name":"app","env":[{"name":"A","value":"1"}]}]}}}}',
        )
      ).text,
    ).toContain("patched");
    const { text } = await kubectl("get", "deploy", "web", "-o", "json");
    expect(JSON.parse(text).spec).toMatchObject({
      replicas: 3,
      template: { spec: { containers: [{ name: "app", image: "other:1", env: [{ name: "A", value: "1" }] }] } },
    });
  });

  test("waits for a rollout and a condition", async () => {
    const { body } = await client.get("/apis/apps/v1/namespaces/default/deployments/web");
    const status = {
      observedGeneration: body.metadata.generation,
      replicas: 3,
      updatedReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      conditions: [{ type: "Available", status: "True" }],
    };
    await client.patch("/apis/apps/v1/namespaces/default/deployments/web/status", "merge", { status });
    expect((await kubectl("rollout", "status", "deploy/web", "--timeout=10s")).text).toContain("successfully rolled out");
    expect((await kubectl("wait", "deploy/web", "--for=condition=Available", "--timeout=10s")).text).toContain("condition met");
  });

  test("describes, with events", async () => {
    const { uid } = (await client.get("/apis/apps/v1/namespaces/default/deployments/web")).body.metadata;
    const event = {
      metadata: { name: "web.1" },
      involvedObject: { apiVersion: "apps/v1", kind: "Deployment", name: "web", namespace: "default", uid },
      reason: "Scaled",
      message: "scaled up",
      type: "Normal",
      count: 2,
      firstTimestamp: "2026-01-01T00:00:00Z",
      lastTimestamp: "2026-01-01T00:00:00Z",
      source: { component: "test" },
    };
    await client.post("/api/v1/namespaces/default/events", event);
    expect((await kubectl("describe", "deploy", "web")).text).toMatch(/Replicas: +3 desired[\s\S]*Events:[\s\S]*Scaled/);
    expect((await kubectl("get", "events")).text).toMatch(
      /LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n\S+ +Normal +Scaled +deployment\/web +scaled up/,
    );
  });

  test("explains our kinds and Kubernetes' own", async () => {
    expect((await kubectl("explain", "canary.spec.analysis.stepWeight")).text).toContain("Percent of traffic added per step.");
    expect((await kubectl("explain", "deployment.spec.strategy")).text).toContain("rollingUpdate");
  });

  test("lists resources, by category too", async () => {
    expect((await kubectl("api-resources", "--api-group=serin.dev", "-o", "name")).text).toContain("canaries.serin.dev");
    expect((await kubectl("get", "all")).text).toContain("deployment.apps/web");
  });

  test("deletes and waits until it is gone", async () => {
    expect((await kubectl("delete", "deploy", "web", "--timeout=10s")).text).toContain('deployment.apps "web" deleted');
    expect((await kubectl("get", "deploy", "web")).text).toContain('deployments.apps "web" not found');
  });
});
