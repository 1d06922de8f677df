// Plays the demo once as on a terminal and draws what it showed as docs/demo.svg, the picture in the README.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { demoCommand } from "../src/cli/demo/demo.ts";
import { readConfig } from "../src/config.ts";

const root = resolve(import.meta.dirname, "..");
const columns = 118;
const lineHeight = 19;
const charWidth = 8.43;
const escape = "\u001b[";
/** What a screen writes to take its live lines away. */
const removal = new RegExp(String.raw`^\r(?:${"\u001b"}\[\d+A)?${"\u001b"}\[J`);

/** Everything that stayed on the terminal, and the live picture just before the bad release was taken back. */
async function playOnce(): Promise<string[]> {
  const told: string[] = [];
  let live: string[] = [];
  const write = (text: string): void => {
    const lines = text.replace(removal, "").split("\n");
    const isLive = (line: string | undefined) => line?.includes("── ") === true;
    const start = lines.findIndex(isLive);
    const said = start < 0 ? lines.slice(0, -1) : lines.slice(0, start);
    if (said.some((line) => line.includes(" Failed "))) told.push(...live);
    told.push(...said);
    // The last picture with users in trouble: the one after it shows them safe again.
    if (start >= 0 && lines[start]?.includes("Progressing")) live = ["", ...lines.slice(start), ""];
  };
  const output = { isTTY: true, columns, hasColors: () => true, write };
  const gitWorker = { file: join(root, "src/main.ts"), args: ["git-worker"] };
  await demoCommand({ once: true, output, config: readConfig(), gitWorker }, new AbortController().signal);
  return told;
}

/** Machine names differ from run to run and say nothing. */
function tidy(line: string): string {
  return line.replace(/\/\S*serin-demo-\w+/, "/tmp/serin-demo");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** A terminal's colours, as classes. */
function drawn(line: string, row: number): string {
  const [plain = "", ...painted] = line.split(escape);
  let left = columns;
  const spans = [
    ["0", plain] as const,
    ...painted.map((part) => [part.slice(0, part.indexOf("m")), part.slice(part.indexOf("m") + 1)] as const),
  ].map(([code, text]) => {
    const kept = text.slice(0, left);
    left -= kept.length;
    return kept === "" ? "" : `<tspan class="c${code}">${escaped(kept)}</tspan>`;
  });
  return `<text x="20" y="${54 + row * lineHeight}" xml:space="preserve">${spans.join("")}</text>`;
}

const lines = ["$ npm run demo", ...(await playOnce())].map(tidy);
const width = Math.ceil(columns * charWidth) + 40;
const height = 70 + lines.length * lineHeight;
const style = `text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d7dae0}.c1{fill:#f5c542;font-weight:bold}.c2{fill:#8b93a1}.c31{fill:#ff8f80}.c32{fill:#7fd48a}.c36{fill:#6cc7e6}`;
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="Output of npm run demo">
<style>${style}</style>
<rect width="${width}" height="${height}" rx="10" fill="#1d2129"/>
<circle cx="22" cy="22" r="6" fill="#ff5f57"/><circle cx="42" cy="22" r="6" fill="#febc2e"/><circle cx="62" cy="22" r="6" fill="#28c840"/>
${lines.map(drawn).join("\n")}
</svg>
`;
mkdirSync(join(root, "docs"), { recursive: true });
writeFileSync(join(root, "docs/demo.svg"), svg);
