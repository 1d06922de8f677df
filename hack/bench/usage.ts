import { readdirSync, readFileSync } from "node:fs";

/** What a process and all that it started have used. */
export interface Usage {
  /** User and system time, of ended children too. */
  readonly cpuMs: number;
  /** As a container's memory counts: what each has to itself, and once what all of them map from the same files. */
  readonly residentMiB: number;
}

/** The kernel counts time in hundredths of a second. */
const tickMs = 10;

interface Entry {
  readonly parent: number;
  readonly ticks: number;
}

/** Reads /proc; a process that is gone has used nothing. */
export function usageOf(pid: number): Usage {
  const all = new Map(readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    const entry = entryOf(Number(name));
    return entry ? [[Number(name), entry] as const] : [];
  }));
  const family = new Set([pid]);
  for (let before = 0; before !== family.size;) {
    before = family.size;
    for (const [child, { parent }] of all) if (family.has(parent)) family.add(child);
  }
  const members = [...family].flatMap((member) => all.get(member) ?? []);
  return {
    cpuMs: members.reduce((sum, { ticks }) => sum + ticks, 0) * tickMs,
    residentMiB: residentKiB([...family]) / 1024,
  };
}

function entryOf(pid: number): Entry | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in brackets may hold spaces; the numbers come after it.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ").map(Number);
    const [parent = 0, ticks] = [fields[1], fields.slice(11, 15).reduce((sum, value) => sum + value, 0)];
    return { parent, ticks };
  } catch {
    return undefined;
  }
}

function residentKiB(pids: readonly number[]): number {
  const all = pids.map((pid) => {
    const text = textOf(`/proc/${pid}/status`);
    const kibibytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
    return { own: kibibytes("RssAnon") + kibibytes("RssShmem"), files: kibibytes("RssFile") };
  });
  return all.reduce((sum, { own }) => sum + own, 0) + Math.max(...all.map(({ files }) => files));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** CPU time of this very moment in finer steps than the kernel's ticks: of one process alone, without its children. */
export function fineCpuMs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1_000_000;
}
