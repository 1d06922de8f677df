import { parseArgs } from "node:util";
import { readFacts } from "../control-plane/facts.ts";
import { openGround } from "./ground.ts";
import { objects } from "./rows/objects.ts";
import type { Scenario } from "./row.ts";

const scenarios: readonly Scenario[] = [objects];
const { values } = parseArgs({ options: { only: { type: "string" }, quick: { type: "boolean", default: false } } });
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const facts = readFacts(process.env);
if (!facts) throw new Error("no control plane: npm run cluster -- node hack/bench/main.ts");
const { signal } = new AbortController();
const ground = await openGround(facts, { quick: values.quick, say, signal });
const wanted = values.only?.split(",");
for (const scenario of scenarios.filter(({ name }) => wanted?.includes(name) ?? true)) {
  say(`# ${scenario.name}: ${scenario.summary}`);
  const { figures } = await scenario.run(ground, signal);
  for (const figure of figures) say(JSON.stringify(figure));
}
await ground.close();
