import { parseArgs } from "node:util";
import { createBeginnings, play } from "./driver.ts";
import { scheduleOf } from "./moves.ts";
import { report } from "./shrink.ts";
import { shortIn, sumOf, type Tally } from "./tally.ts";

const { values } = parseArgs({ options: { seed: { type: "string" }, count: { type: "string" } } });
const from = Number(values.seed ?? 1);
const count = Number(values.count ?? (values.seed === undefined ? 10_000 : 1));
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const beginnings = createBeginnings();
const tallies: Tally[] = [];
let broken = 0;
for (let seed = from; seed < from + count; seed += 1) {
  const schedule = scheduleOf(seed);
  const outcome = await play(schedule, beginnings);
  tallies.push(outcome.tally);
  const told = await report(schedule, outcome, beginnings);
  if (told !== "") {
    broken += 1;
    say(`${told}\n`);
  }
  if ((seed - from + 1) % 500 === 0) say(`${seed - from + 1} schedules, ${broken} with a broken promise`);
}
say(`${count} schedules from seed ${from}: ${broken === 0 ? "every promise kept" : `${broken} with a broken promise`}`);
const sum = sumOf(tallies);
say(Object.entries(sum).map(([what, times]) => `${what} ${times}`).join(", "));
// What a few schedules do says nothing.
const short = count >= 500 ? shortIn(sum, count) : [];
for (const what of short) say(`too little happened: ${what}`);
process.exitCode = broken === 0 && short.length === 0 ? 0 : 1;
