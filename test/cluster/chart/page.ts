import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A fenced block of a page: commands, or a file whose first line is its name in a comment. */
interface Block {
  readonly language: string;
  readonly text: string;
}

/** How the commands of a page are run. */
export interface PageOptions {
  /** Folder that they are run in. */
  readonly dir: string;
  readonly env: NodeJS.ProcessEnv;
  /** What the page tells its reader to put in the place of its examples. */
  readonly inPlaceOf: Readonly<Record<string, string>>;
}

/** A page of the docs, followed line by line as its reader would. */
export interface Page {
  /**
   * Does what the next part of a section says: its files up to and with its next block of commands. Returns what the commands
   * printed. Throws when one fails, or there is nothing left to do.
   * @param env another environment than the page's, e.g. of another user
   */
  follow(section: string, env?: NodeJS.ProcessEnv): Promise<string>;
  /** Starts the section's next block of commands and leaves it running. Returns how to stop it. */
  begin(section: string): () => Promise<void>;
  /** Sections of which something was not done. */
  left(): string[];
  /** Examples that stand nowhere in what was done. */
  unused(): string[];
}

/** Opens a page below the repository's root. */
export function openPage(path: string, options: PageOptions): Page {
  const sections = blocksOf(readFileSync(resolve(import.meta.dirname, "../../..", path), "utf8"));
  const used = new Set<string>();
  const substitute = (text: string): string => {
    const found = Object.entries(options.inPlaceOf).filter(([example]) => text.includes(example));
    for (const [example] of found) used.add(example);
    return found.reduce((done, [example, real]) => done.replaceAll(example, real), text);
  };
  const next = (section: string): string => {
    const blocks = sections.get(section) ?? [];
    for (let block = blocks.shift(); block; block = blocks.shift()) {
      if (block.language === "sh") return substitute(block.text);
      save(options.dir, substitute(block.text));
    }
    throw new Error(`${path} says nothing more to do in "${section}"`);
  };
  return {
    follow: async (section, env = options.env) => follow(next(section), { ...options, env }),
    begin: (section) => begin(next(section), options),
    left: () => [...sections].filter(([, blocks]) => blocks.length > 0).map(([section]) => section),
    unused: () => Object.keys(options.inPlaceOf).filter((example) => !used.has(example)),
  };
}

function blocksOf(text: string): Map<string, Block[]> {
  const parts = text.split(/^##+ /m).slice(1);
  return new Map(parts.map((part) => {
    const blocks = [...part.matchAll(/^```(sh|yaml)\n(.*?)^```$/gms)].map(([, language = "", body = ""]) => ({ language, text: body }));
    return [part.slice(0, part.indexOf("\n")), blocks];
  }));
}

function save(dir: string, text: string): void {
  const name = /^# (\S+\.yaml)\n/.exec(text)?.[1];
  if (name === undefined) throw new Error(`a block of YAML does not say which file it is:\n${text}`);
  const file = join(dir, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

async function follow(commands: string, { dir, env }: PageOptions): Promise<string> {
  let printed = "";
  for (const command of commands.split("\n").filter((line) => line !== "")) {
    try {
      const { stdout } = await run("sh", ["-eu", "-c", command], { cwd: dir, env, timeout: 330_000 });
      printed += stdout;
    } catch (error) {
      const { stderr = "", stdout = "" } = error as { stderr?: string; stdout?: string };
      throw new Error(`$ ${command}\n${stdout}${stderr}`, { cause: error });
    }
  }
  return printed;
}

function begin(commands: string, { dir, env }: PageOptions): () => Promise<void> {
  // A group of its own, so that what the shell started ends with it.
  const child = spawn("sh", ["-c", commands], { cwd: dir, env, detached: true, stdio: "ignore" });
  return async () => {
    const ended = once(child, "exit");
    stopGroup(child);
    await ended;
  };
}

function stopGroup({ pid, exitCode }: ChildProcess): void {
  if (pid !== undefined && exitCode === null) process.kill(-pid, "SIGKILL");
}
