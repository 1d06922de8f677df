// Plays the demo once and draws what it said as docs/demo.svg, the picture in the README.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const columns = 112;
const lineHeight = 19;
const charWidth = 8.4;

/** Everything the demo printed, line by line. Throws when the story did not come out. */
async function playOnce(): Promise<string[]> {
  const child = spawn(process.execPath, [join(root, "src/main.ts"), "demo", "--once"], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  let text = "";
  for await (const chunk of child.stdout) text += String(chunk);
  await closed;
  if (child.exitCode !== 0) throw new Error(`the demo ended with exit code ${child.exitCode}`);
  return text.trim().split("\n");
}

/** Machine names and ports differ from run to run and say nothing. */
function tidy(line: string): string {
  return line.replace(/\/\S*serin-demo-\w+/, "/tmp/serin-demo").slice(0, columns);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function drawn(line: string, row: number): string {
  const y = 54 + row * lineHeight;
  const style = line.startsWith("== ")
    ? "heading"
    : /Failed|errors|lost|bad release/.test(line) && !/ 0\.0 % errors| 0 of /.test(line)
      ? "bad"
      : "plain";
  return `<text x="20" y="${y}" class="${style}" xml:space="preserve">${escaped(line.replace(/^== /, ""))}</text>`;
}

const lines = ["$ npm run demo", ...(await playOnce()).map(tidy)];
const width = Math.ceil(columns * charWidth) + 40;
const height = 70 + lines.length * lineHeight;
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="Output of npm run demo">
<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d7dae0}.heading{fill:#f5c542;font-weight:bold}.bad{fill:#ff8f80}</style>
<rect width="${width}" height="${height}" rx="10" fill="#1d2129"/>
<circle cx="22" cy="22" r="6" fill="#ff5f57"/><circle cx="42" cy="22" r="6" fill="#febc2e"/><circle cx="62" cy="22" r="6" fill="#28c840"/>
${lines.map(drawn).join("\n")}
</svg>
`;
mkdirSync(join(root, "docs"), { recursive: true });
writeFileSync(join(root, "docs/demo.svg"), svg);
