import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { messageOf } from "../../lib/errors.ts";
import { signatureOf } from "./labels.ts";
import { BadQuery, type Expr, ExecutionError } from "./promql/ast.ts";
import { evaluate, type Value } from "./promql/evaluate.ts";
import { durationMs } from "./promql/literals.ts";
import { parseQuery, typeOf } from "./promql/parse.ts";
import type { Tsdb } from "./tsdb.ts";

const maxBodyBytes = 1024 * 1024;
const maxSteps = 11_000;

type Data = Pick<Tsdb, "select">;

/** The part of Prometheus' HTTP API that queries need, on data of our own. Not listening yet. */
export function queryApi(db: Data, nowMs: () => number): Server {
  return createServer((req, res) => {
    respond(req, res, { db, nowMs }).catch((err: unknown) =>
      send(res, 500, { status: "error", errorType: "internal", error: messageOf(err) }),
    );
  });
}

const routes: Readonly<Record<string, (params: URLSearchParams, context: { db: Data; nowMs: () => number }) => unknown>> = {
  "/api/v1/query": (params, { db, nowMs }) => {
    const expr = queryIn(params);
    const timeMs = timeIn(params, "time") ?? nowMs();
    return instantData(evaluate(expr, db, timeMs), timeMs);
  },
  "/api/v1/query_range": (params, { db }) => rangeData(params, db),
  "/api/v1/status/buildinfo": () => ({
    version: "2.42.0+serin-sandbox",
    revision: "",
    branch: "",
    buildUser: "",
    buildDate: "",
    goVersion: "",
  }),
};

async function respond(req: IncomingMessage, res: ServerResponse, context: { db: Data; nowMs: () => number }): Promise<void> {
  const url = new URL(req.url ?? "/", "http://localhost");
  if (url.pathname === "/-/ready" || url.pathname === "/-/healthy") {
    res.end("Prometheus Server is Ready.\n");
    return;
  }
  const route = Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined;
  if (!route) {
    res.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("404 page not found\n");
    return;
  }
  const params = new URLSearchParams([...url.searchParams, ...(req.method === "POST" ? new URLSearchParams(await bodyOf(req)) : [])]);
  try {
    send(res, 200, { status: "success", data: route(params, context) });
  } catch (err) {
    if (err instanceof BadQuery) send(res, 400, { status: "error", errorType: "bad_data", error: err.message });
    else if (err instanceof ExecutionError) send(res, 422, { status: "error", errorType: "execution", error: err.message });
    else throw err;
  }
}

function send(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function bodyOf(req: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of req.setEncoding("utf8")) {
    body += String(chunk);
    if (body.length > maxBodyBytes) throw new BadQuery("request body too large");
  }
  return body;
}

function queryIn(params: URLSearchParams): Expr {
  try {
    return parseQuery(params.get("query") ?? "");
  } catch (err) {
    if (err instanceof BadQuery) throw new BadQuery(`invalid parameter "query": ${err.message}`, { cause: err });
    throw err;
  }
}

function timeIn(params: URLSearchParams, name: string): number | undefined {
  const text = params.get(name);
  if (text === null) return undefined;
  const timeMs = /^-?\d+(\.\d+)?$/.test(text) ? Math.round(Number(text) * 1_000) : Date.parse(text);
  if (Number.isNaN(timeMs)) throw new BadQuery(`invalid parameter "${name}": cannot parse "${text}" to a valid timestamp`);
  return timeMs;
}

function instantData(value: Value, timeMs: number): unknown {
  switch (value.type) {
    case "scalar":
      return { resultType: "scalar", result: [timeMs / 1_000, formatValue(value.value)] };
    case "vector":
      return {
        resultType: "vector",
        result: value.elements.map(({ labels, value: number }) => ({
          metric: Object.fromEntries(labels),
          value: [timeMs / 1_000, formatValue(number)],
        })),
      };
    case "matrix":
      return {
        resultType: "matrix",
        result: value.elements.map(({ labels, points }) => ({
          metric: Object.fromEntries(labels),
          values: points.map((point) => [point.timeMs / 1_000, formatValue(point.value)]),
        })),
      };
    default:
      return value satisfies never;
  }
}

function rangeData(params: URLSearchParams, db: Data): unknown {
  const times = timesIn(params);
  const expr = queryIn(params);
  if (typeOf(expr) === "matrix")
    throw new BadQuery(
      'invalid parameter "query": invalid expression type "range vector" for range query, must be Scalar or instant Vector',
    );
  const series = new Map<string, { metric: Record<string, string>; values: [number, string][] }>();
  for (const timeMs of times) {
    for (const { labels, value } of elementsOf(evaluate(expr, db, timeMs))) {
      const signature = signatureOf(labels);
      const line = series.get(signature) ?? { metric: Object.fromEntries(labels), values: [] };
      line.values.push([timeMs / 1_000, formatValue(value)]);
      series.set(signature, line);
    }
  }
  return { resultType: "matrix", result: [...series.values()] };
}

function timesIn(params: URLSearchParams): number[] {
  const startMs = timeIn(params, "start");
  const endMs = timeIn(params, "end");
  const step = params.get("step");
  if (startMs === undefined || endMs === undefined || step === null) throw new BadQuery("start, end and step are required");
  const stepMs = /^\d+(\.\d+)?$/.test(step) ? Math.round(Number(step) * 1_000) : durationMs(step);
  if (endMs < startMs) throw new BadQuery('invalid parameter "end": end timestamp must not be before start time');
  if (stepMs <= 0)
    throw new BadQuery('invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer');
  if ((endMs - startMs) / stepMs > maxSteps)
    throw new BadQuery("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)");
  return Array.from({ length: Math.floor((endMs - startMs) / stepMs) + 1 }, (_, index) => startMs + index * stepMs);
}

function elementsOf(value: Value) {
  if (value.type === "scalar") return [{ labels: new Map<string, string>(), value: value.value }];
  return value.type === "vector" ? value.elements : [];
}

function formatValue(value: number): string {
  if (Number.isFinite(value)) return withoutExponent(Object.is(value, -0) ? "-0" : String(value));
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

// As Go writes numbers in Prometheus' answers: all digits.
function withoutExponent(text: string): string {
  const [, sign = "", first = "", fraction = "", exponent] = /^(-?)(\d)(?:\.(\d+))?e([-+]\d+)$/.exec(text) ?? [];
  if (exponent === undefined) return text;
  const shift = Number(exponent);
  return shift < 0 ? `${sign}0.${"0".repeat(-shift - 1)}${first}${fraction}` : sign + (first + fraction).padEnd(shift + 1, "0");
}
