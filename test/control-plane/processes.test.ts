import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, expect, test } from "vitest";
import { createControl } from "../../hack/control-plane/control.ts";
import { startControlServer } from "../../hack/control-plane/control-server.ts";
import { withLock } from "../../hack/control-plane/lock.ts";
import { freePort, startHostRelay, startInsideRelay } from "../../hack/control-plane/relay.ts";
import { createSupervisor, type PartSpec } from "../../hack/control-plane/supervisor.ts";

const dir = mkdtempSync(join(tmpdir(), "serin-control-plane-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** The control plane is for Linux only. */
const elsewhere = process.platform !== "linux";

test.skipIf(elsewhere)("two who build the same wait for each other", async () => {
  const order: string[] = [];
  const file = join(dir, "lock");
  const first = Promise.withResolvers<void>();
  const waiting = Promise.withResolvers<void>();
  const one = withLock(file, () => {}, async () => {
    order.push("first begins");
    await first.promise;
    order.push("first ends");
  });
  await expect.poll(() => order.length).toBe(1);
  const two = withLock(file, waiting.resolve, async () => void order.push("second"));
  await waiting.promise;
  first.resolve();
  await Promise.all([one, two]);
  expect(order).toEqual(["first begins", "first ends", "second"]);
});

/** A part that writes a line each time it starts and then waits. */
const aPart = (name: PartSpec["name"], script: string, ready: PartSpec["ready"] = async () => {}): PartSpec => ({ name, command: ["sh", "-c", script], ready });
const begun = (name: string): number => readFileSync(join(dir, `${name}.log`), "utf8").split("begun").length - 1;

test.skipIf(elsewhere)("parts are stopped, started again with the same flags, frozen and thawed by the control socket", async () => {
  const supervisor = createSupervisor({ logs: dir, died: () => {} });
  const ready = async (): Promise<void> => {
    if (begun("etcd") === 0) throw new Error("not yet");
  };
  await supervisor.start(aPart("etcd", "echo begun; exec sleep 60", ready));
  const socket = join(dir, "control.sock");
  await startControlServer(socket, supervisor);
  const control = createControl({ control: socket });
  const pid = (await control.running()).etcd;
  await control.freeze("etcd");
  await expect.poll(() => readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[2]).toBe("T");
  await control.thaw("etcd");
  await control.stop("etcd", "SIGKILL");
  expect(await control.running()).toEqual({});
  await control.stop("etcd", "SIGTERM");
  await control.start("etcd");
  await expect.poll(() => begun("etcd")).toBe(2);
  await expect(control.start("etcd")).rejects.toThrow("start etcd: etcd runs already");
  await expect(control.start("gitea")).rejects.toThrow("gitea was never started");
  await expect(control.freeze("gitea")).rejects.toThrow("gitea does not run");
  await control.freeze("etcd");
  await control.stop("etcd", "SIGTERM");
  await control.close();
});

test("a part that ends while it starts says so with the end of its log, and one that ends later is told of", async () => {
  const died: string[] = [];
  const supervisor = createSupervisor({ logs: dir, died: (name, how) => void died.push(`${name} ${how}`) });
  const never = async (): Promise<void> => await Promise.reject(new Error("not yet"));
  const start = supervisor.start(aPart("contour", "echo no such flag; exit 3", never));
  await expect(start).rejects.toMatchObject({ message: expect.stringContaining("no such flag"), cause: expect.objectContaining({ message: "contour ended with 3 while it started" }) });
  await supervisor.start(aPart("node", "exit 4"));
  await expect.poll(() => died).toContain("node ended with 4");
  await expect(supervisor.start({ name: "gitea", command: ["/nowhere/gitea"], ready: never })).rejects.toThrow(/ENOENT/);
});

test("what is published on the host reaches the server behind the socket, also when many ask at once", async () => {
  const server = createHttpServer((incoming, response) => void incoming.pipe(response));
  const port = await freePort(0);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const socket = join(dir, "relay.sock");
  await startInsideRelay(socket, { host: "127.0.0.1", port });
  const published = await startHostRelay(socket, 0);
  const text = "x".repeat(300_000);
  const ask = async (n: number): Promise<string> => {
    const { body } = await request(`http://127.0.0.1:${published}/`, { method: "POST", body: `${n}${text}`, reset: true });
    return await body.text();
  };
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => ask(n)));
  expect(answers.every((answer, n) => answer === `${n}${text}`)).toBe(true);
  server.close();
});

test("a port that is taken is replaced by a free one", async () => {
  const holder = createServer();
  const taken = await freePort(0);
  await new Promise<void>((resolve) => holder.listen(taken, "127.0.0.1", resolve));
  expect(await freePort(taken)).not.toBe(taken);
  expect(await startHostRelay(join(dir, "none.sock"), taken)).not.toBe(taken);
  holder.close();
});
