import { expect, test } from "vitest";
import { watchEvents } from "./watch-stream.ts";

test("a line without an end is given up at sixteen mebibytes, and nothing more is read", async () => {
  let sent = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    const chunk = new Uint8Array(1024 * 1024).fill(120);
    for (; sent < 64; sent++) yield chunk;
  }
  const read = async (): Promise<void> => {
    for await (const event of watchEvents(endless())) expect(event).toBeUndefined();
  };
  await expect(read()).rejects.toMatchObject({ reason: "MalformedWatch", message: "a watch sent a line of more than 16777216 bytes" });
  expect(sent).toBe(16);
});
