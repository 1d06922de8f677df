import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { startShareWorld } from "../../../test/share-world.ts";
import type { CanaryStatus } from "../../api/canary.ts";

/** A Canary that names no metrics and no steps. */
const byShare = { analysis: { metrics: undefined, stepWeight: undefined, maxWeight: undefined } };
const hour = 3_600;

const ended = ({ phase }: CanaryStatus) => phase === "Succeeded" || phase === "Failed";
const hasTraffic = ({ canaryWeight = 0 }: CanaryStatus) => canaryWeight > 0;
const lateFailure = { reason: "ProgressDeadlineExceeded", propose: true };

describe.each([
  ["judged by shares", byShare],
  ["judged by thresholds", {}],
])("a canary %s", (_, input) => {
  test("that loses its readiness for good is rolled back after the deadline, though its metrics are read all the time", async () => {
    const world = await startShareWorld(input, { rps: 100 });
    await world.release("shop:2");
    await world.until(hasTraffic);
    await world.pass(40);
    world.setReady("checkout", false);
    const { status, seconds } = await world.until(ended);
    expect(status).toMatchObject({ phase: "Failed", canaryWeight: 0, failure: lateFailure });
    expect(world.failures).toMatchObject([{ propose: true }]);
    expect(seconds).toBeGreaterThanOrEqual(600);
    expect(seconds).toBeLessThanOrEqual(700);
  });

  test.each([
    ["ahead", hour],
    ["back", -hour],
  ])("whose pods take twenty seconds is promoted when the clock goes an hour %s for a moment", async (_set, seconds) => {
    const world = await startShareWorld(input, { rps: 100 });
    world.setReady("checkout", false);
    await world.release("shop:2");
    await world.pass(10);
    world.setClock(seconds);
    await world.pass(10);
    expect(world.status()).toMatchObject({ phase: "Progressing", canaryWeight: 0 });
    world.setClock(-seconds);
    world.setReady("checkout", true);
    expect((await world.until(ended)).status.phase).toBe("Succeeded");
    expect(world.failures).toEqual([]);
  });
});

test("a clock that is set back delays the deadline by no more than the deadline", async () => {
  const world = await startShareWorld();
  world.setReady("checkout", false);
  await world.release("shop:2");
  await world.pass(300);
  world.setClock(-hour);
  const { status, seconds } = await world.until(ended);
  expect(status).toMatchObject({ phase: "Failed", failure: lateFailure });
  expect(seconds).toBeLessThanOrEqual(700);
});

test("another process begins the deadline anew at worst", async () => {
  const world = await startShareWorld();
  world.setReady("checkout", false);
  await world.release("shop:2");
  await world.pass(500);
  world.restart();
  const { status, seconds } = await world.until(ended);
  expect(status).toMatchObject({ phase: "Failed", failure: lateFailure });
  expect(seconds).toBeLessThanOrEqual(700);
});

test.each([
  ["that has been down for an hour gets its fix", hour, 0],
  ["whose pods take a moment is promoted when the clock is set ahead", 0, hour],
])("a primary %s", async (_, downSeconds, setSeconds) => {
  const world = await startShareWorld();
  if (downSeconds > 0) world.setReady("checkout-primary", false);
  await world.pass(downSeconds);
  await world.release("shop:2");
  await world.until(({ phase }) => phase === "Promoting");
  world.setReady("checkout-primary", false);
  await world.pass(10);
  world.setClock(setSeconds);
  await world.pass(10);
  expect(world.status().phase).toBe("Promoting");
  world.setReady("checkout-primary", true);
  expect((await world.until(ended)).status.phase).toBe("Succeeded");
});

describe("a rollback hook", () => {
  async function asked(): Promise<{ times: () => number; webhooks: object[] }> {
    let times = 0;
    const server = createServer((_, response) => {
      times += 1;
      response.writeHead(403).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/rollback`;
    return { times: () => times, webhooks: [{ name: "person", type: "rollback", url }] };
  }

  test("is asked once per interval, also when the clock is set back", async () => {
    const { times, webhooks } = await asked();
    const world = await startShareWorld({ analysis: { webhooks } });
    world.setReady("checkout", false);
    await world.release("shop:2");
    await world.pass(30);
    expect(times()).toBe(1);
    world.setClock(-hour);
    await world.pass(240);
    expect([4, 5]).toContain(times());
  });

  test("is asked at once in the next run, however soon it is", async () => {
    const { times, webhooks } = await asked();
    const world = await startShareWorld({ analysis: { webhooks } });
    world.setReady("checkout", false);
    await world.release("shop:2");
    await world.pass(10);
    await world.release("shop:1");
    await world.pass(10);
    expect(times()).toBe(1);
    await world.release("shop:3");
    await world.pass(10);
    expect(times()).toBe(2);
  });
});
