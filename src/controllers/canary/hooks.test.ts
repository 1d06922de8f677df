import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { aCanary } from "../../../test/builders.ts";
import type { CanaryWebhook } from "../../api/analysis.ts";
import { systemClock } from "../../lib/clock.ts";
import { ask } from "./hooks.ts";

let server: Server;
let url: string;
let answers: (number | "hang")[];
let bodies: unknown[];

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      bodies.push(JSON.parse(Buffer.concat(chunks).toString("utf8")));
      const answer = answers.shift() ?? 200;
      if (answer !== "hang") response.writeHead(answer).end("whatever");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/gate`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  answers = [];
  bodies = [];
});

const hook = (type: CanaryWebhook["type"], more: Partial<CanaryWebhook> = {}) => ({ name: "gate", type, url, ...more });

function asked(type: CanaryWebhook["type"], webhooks: object[]) {
  const canary = aCanary({ analysis: { webhooks } }, { phase: "Progressing" });
  return ask({ canary, type, revision: "v1-aaaaaaaaaa", configs: {} }, systemClock, AbortSignal.timeout(10_000));
}

test.each<[string, (number | "hang")[], Partial<CanaryWebhook>, boolean]>([
  ["200 agrees", [200], {}, true],
  ["204 agrees", [204], {}, true],
  ["403 does not", [403], {}, false],
  ["503 does not", [503], {}, false],
  ["a second answer counts when the first was 5xx", [500, 200], { retries: 1 }, true],
  ["403 is an answer and not asked again", [403, 200], { retries: 3 }, false],
  ["no answer in time does not", ["hang"], { timeout: "100ms" }, false],
  ["no answer in time is asked again", ["hang", 200], { timeout: "100ms", retries: 1 }, true],
  ["a dead server does not", [], { url: "http://127.0.0.1:1/" }, false],
])("%s", async (_, replies, more, open) => {
  answers = replies;
  expect(await asked("confirm-rollout", [hook("confirm-rollout", more)])).toMatchObject({ open });
});

test("a hook gets exactly what Flagger's get", async () => {
  await asked("confirm-promotion", [hook("confirm-promotion", { metadata: { team: "pay" } })]);
  expect(bodies).toEqual([
    {
      name: "checkout",
      namespace: "shop",
      phase: "Progressing",
      checksum: expect.stringMatching(/^[0-9a-f]{16}$/),
      metadata: { team: "pay" },
    },
  ]);
});

test("without a hook of this type there is no gate", async () => {
  expect(await asked("rollback", [hook("confirm-rollout")])).toBeUndefined();
  expect(bodies).toEqual([]);
});

test("all confirm hooks must agree, one rollback hook is enough", async () => {
  answers = [200, 403];
  expect(await asked("confirm-rollout", [hook("confirm-rollout"), hook("confirm-rollout", { name: "other" })])).toMatchObject({
    open: false,
  });
  answers = [200, 403];
  expect(await asked("rollback", [hook("rollback"), hook("rollback", { name: "other" })])).toMatchObject({ open: true });
});
