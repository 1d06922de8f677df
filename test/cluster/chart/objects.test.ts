import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chart, render } from "../../chart/helm.ts";
import { openWorld, type World } from "./world.ts";

const valuesFiles = readdirSync(join(chart, "ci"));

describe("the objects of the chart", () => {
  let world: World;
  const missing: string[] = [];

  beforeAll(async () => {
    world = await openWorld();
    const there = (await world.get("namespaces")).items.map(({ metadata }) => metadata.name);
    missing.push(...["serin-system", "shop", "web"].filter((name) => !there.includes(name)));
    for (const name of missing) await world.kubectl("create", "namespace", name);
  });

  afterAll(async () => {
    if (missing.length > 0) await world.kubectl("delete", "namespace", ...missing, "--timeout=60s");
    world.close();
  });

  test.each(valuesFiles)("%s: the API server takes every one, and knows every field", async (name) => {
    const objects = await render(join(world.facts.bin, "helm"), "--values", join(chart, "ci", name));
    // The Prometheus operator's kinds are on few clusters; test/chart looks at what is in them.
    const known = objects.filter(({ apiVersion }) => !apiVersion.startsWith("monitoring.coreos.com/"));
    const list = join(world.checkout, "objects.json");
    writeFileSync(list, JSON.stringify({ apiVersion: "v1", kind: "List", items: known }));
    const flags = ["--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict"];
    const printed = await world.kubectl("apply", ...flags, "--filename", list);
    expect(printed.match(/ serverside-applied \(server dry run\)$/gm)).toHaveLength(known.length);
  });
});
