import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { request as send } from "undici";
import { seedOf, weightedDraw } from "../draw.ts";
import type { Images, Program, ProgramContext, RunningProgram } from "./images.ts";
import { imageTable, parseImage } from "./images.ts";

/** Variables that make the shop misbehave; a user can set them in a manifest, a registry per tag. */
interface ShopFaults {
  /** Share of requests answered with 500; one decimal counts. */
  readonly ERROR_PERCENT?: string;
  readonly LATENCY_MS?: string;
  /** Ends with exit code 1 this long after its start. */
  readonly CRASH_AFTER_MS?: string;
  /** `/readyz` answers 503 until then. */
  readonly READY_AFTER_MS?: string;
  /** `never`, or `flap`: ready and unready in turn, READINESS_FLAP_MS each (3000). */
  readonly READINESS?: string;
  readonly READINESS_FLAP_MS?: string;
  /** What every page needs: while this address does not answer with 2xx, the answer is 502. */
  readonly BACKEND_URL?: string;
}

/**
 * The registry of the demo: `serin.dev/shop`, every tag of it a good release, but for the tags named here, also with a
 * suffix: `bad` stands for `bad-2` too. Tags that start with `missing` do not exist, and for those that start with
 * `broken-registry` the registry answers 500.
 */
export function shopImages(badTags: Readonly<Record<string, ShopFaults>> = {}): Images {
  const faults = new Map(Object.entries(badTags));
  return imageTable({
    "serin.dev/shop": (tag) => {
      if (tag.startsWith("missing")) return "notFound";
      if (tag.startsWith("broken-registry")) return "registryError";
      return shop(faults.get(tag.replace(/-.*/, "")));
    },
  });
}

const products = [
  { name: "Serin song, two minutes", price: 3 },
  { name: "Nest box", price: 24 },
  { name: "Sunflower seeds", price: 7 },
];

/** A small web shop that says its version. What the pod's own variables say goes before the tag's faults. */
export function shop(faults: ShopFaults = {}): Program {
  return (context) => {
    const env: Readonly<Record<string, string | undefined>> = { ...faults, ...context.env };
    const number = (name: keyof ShopFaults): number => positive(name, env[name]);
    const { tag: version } = parseImage(context.image);
    const good: RequestListener = (request, response) => answer(request, response, { version, title: env["TITLE"] ?? "Shop" });
    const page = withFaults(number, context, withBackend(env["BACKEND_URL"], good));
    const startedAtMs = context.clock.nowMs();
    const crashAfterMs = number("CRASH_AFTER_MS");
    if (crashAfterMs > 0) context.clock.sleep(crashAfterMs, context.signal).then(() => context.exit(1), () => {});
    const ready = readiness(env["READINESS"], { afterMs: number("READY_AFTER_MS"), flapMs: number("READINESS_FLAP_MS") || 3_000 });
    return {
      serve: (request, response) => {
        if (request.url === "/readyz") return plain(response, ready(context.clock.nowMs() - startedAtMs) ? 200 : 503);
        if (request.url === "/healthz") return plain(response, 200);
        response.setHeader("x-version", version);
        page(request, response);
      },
      exec: async () => 0,
    } satisfies RunningProgram;
  };
}

function positive(name: string, text: string | undefined): number {
  const value = Number(text ?? 0);
  if (!Number.isFinite(value) || value < 0) throw new Error(`${name} is "${text}"; write a number that is not negative`);
  return value;
}

function readiness(mode: string | undefined, { afterMs, flapMs }: { afterMs: number; flapMs: number }): (ageMs: number) => boolean {
  if (mode === "never") return () => false;
  if (mode === "flap") return (ageMs) => ageMs >= afterMs && Math.floor(ageMs / flapMs) % 2 === 0;
  return (ageMs) => ageMs >= afterMs;
}

function withFaults(number: (name: keyof ShopFaults) => number, { clock, pod }: ProgramContext, good: RequestListener): RequestListener {
  const bad = Math.min(1_000, Math.round(number("ERROR_PERCENT") * 10));
  const draw = weightedDraw([1_000 - bad, bad], seedOf(pod.metadata.uid ?? pod.metadata.name));
  const latencyMs = number("LATENCY_MS");
  const reply: RequestListener = (request, response) => {
    if (draw() !== 1) return good(request, response);
    json(response, 500, { error: "the basket is on fire" });
  };
  if (latencyMs === 0) return reply;
  return (request, response) => void clock.sleep(latencyMs).then(() => reply(request, response));
}

const backendTimeoutMs = 1_000;

function withBackend(url: string | undefined, good: RequestListener): RequestListener {
  if (url === undefined) return good;
  return (request, response) => {
    void isWell(url).then((well) => (well ? good(request, response) : json(response, 502, { error: "the backend does not answer" })));
  };
}

async function isWell(url: string): Promise<boolean> {
  try {
    const { statusCode, body } = await send(url, { signal: AbortSignal.timeout(backendTimeoutMs) });
    await body.dump();
    return statusCode >= 200 && statusCode < 300;
  } catch {
    return false;
  }
}

function answer(request: IncomingMessage, response: ServerResponse, { version, title }: { version: string; title: string }): void {
  const path = (request.url ?? "/").replace(/\?.*$/, "");
  const wantsHtml = request.headers.accept?.includes("text/html") === true;
  if (path === "/version") return json(response, 200, { version });
  if (path === "/api/products") return json(response, 200, { version, products });
  if (path !== "/") return json(response, 404, { version, error: `no page ${path}` });
  if (!wantsHtml) return json(response, 200, { version, title, products: products.length });
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
  response.end(html(title, version));
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(`${JSON.stringify(body)}\n`);
}

function plain(response: ServerResponse, status: number): void {
  response.writeHead(status, { "content-type": "text/plain" });
  response.end(status === 200 ? "ok\n" : "not ready\n");
}

function html(title: string, version: string): string {
  const escape = (text: string): string => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
  const rows = products.map(({ name, price }) => `<li>${escape(name)}: ${price} €</li>`).join("");
  const style = "body{font:18px system-ui;max-width:36rem;margin:4rem auto}b{background:#fd6;padding:.1em .5em;border-radius:.4em}";
  return `<!doctype html><title>${escape(title)}</title><style>${style}</style><h1>${escape(title)} <b>version ${escape(version)}</b></h1><ul>${rows}</ul>\n`;
}
