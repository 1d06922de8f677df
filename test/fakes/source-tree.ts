import { hashJson } from "../../src/lib/json.ts";
import type { SourceTree } from "../../src/render/renderer.ts";

/** A commit's files in memory: contents by path. */
export function sourceTree(contents: Readonly<Record<string, string | Uint8Array>>): SourceTree {
  const bytes = (content: string | Uint8Array) => (typeof content === "string" ? new TextEncoder().encode(content) : content);
  const under = (path: string) =>
    Object.entries(contents)
      .filter(([file]) => path === "" || file.startsWith(`${path}/`))
      .sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    list: async (path) => under(path).map(([file, content]) => ({ path: file, oid: hashJson(String(content)), linked: false })),
    contents: async (entries) => entries.map(({ path }) => bytes(contents[path] ?? "")),
    files: async (path) => under(path).map(([file, content]) => ({ path: file, content: bytes(content) })),
    objectAt: async (path) => {
      const file = contents[path];
      if (file !== undefined) return { oid: hashJson(String(file)), kind: "blob" };
      const files = under(path).map(([name, content]) => [name.slice(path.length), String(content)]);
      return files.length > 0 || path === "" ? { oid: hashJson(files), kind: "tree" } : undefined;
    },
  };
}
