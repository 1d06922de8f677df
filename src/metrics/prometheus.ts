import { request } from "undici";
import { z } from "zod";
import { messageOf } from "../lib/errors.ts";
import { MetricError, type MetricProvider, type MetricServer, type QueryResult } from "./metric-provider.ts";

/** A reply is one number; anything much larger is a query that should have been aggregated, or no Prometheus at all. */
const maxReplyBytes = 1024 * 1024;
/** Longer queries go in a POST body: servers and proxies limit the length of an address. */
const maxGetLength = 2_000;

const point = z.tuple([z.number(), z.string()]);
const success = z.object({
  status: z.literal("success"),
  data: z.discriminatedUnion("resultType", [
    z.object({ resultType: z.literal("vector"), result: z.array(z.object({ value: point.optional() })) }),
    z.object({ resultType: z.literal("scalar"), result: point }),
    z.object({ resultType: z.literal("matrix") }),
    z.object({ resultType: z.literal("string") }),
  ]),
  warnings: z.array(z.string()).optional(),
});
type Answer = z.infer<typeof success>;
const failure = z.object({ status: z.literal("error"), error: z.string() });

interface Reply {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
}

/** A Prometheus, or a server that speaks its HTTP API (Thanos, Mimir, VictoriaMetrics). Holds no connection open. */
export function prometheus(server: MetricServer): MetricProvider {
  return {
    query: async (query, signal, atMs) => {
      const reply = await send(server, query, { signal, atMs });
      return resultOf(answerIn(server, reply));
    },
  };
}

async function send(
  server: MetricServer,
  query: string,
  { signal, atMs }: { signal: AbortSignal; atMs: number | undefined },
): Promise<Reply> {
  const form = new URLSearchParams({ query, timeout: `${server.timeoutMs}ms` });
  if (atMs !== undefined) form.set("time", (atMs / 1_000).toFixed(3));
  const url = `${server.address.replace(/\/+$/, "")}/api/v1/query`;
  const headers = { accept: "application/json", ...authorization(server.auth) };
  const deadline = AbortSignal.timeout(server.timeoutMs);
  const both = AbortSignal.any([signal, deadline]);
  try {
    const response =
      form.toString().length <= maxGetLength
        ? await request(`${url}?${form.toString()}`, { headers, signal: both })
        : await request(url, {
            method: "POST",
            headers: { ...headers, "content-type": "application/x-www-form-urlencoded" },
            body: form.toString(),
            signal: both,
          });
    const location = response.headers["location"];
    return {
      status: response.statusCode,
      location: typeof location === "string" ? location : undefined,
      body: await bodyOf(server, response.body),
    };
  } catch (err) {
    if (signal.aborted) throw signal.reason;
    if (deadline.aborted) throw unavailable(server, `gave no answer within ${server.timeoutMs} ms`);
    if (err instanceof MetricError) throw err;
    throw unavailable(server, `cannot be reached: ${reasonOf(err)}`);
  }
}

function authorization(auth: MetricServer["auth"]): Record<string, string> {
  if (!auth) return {};
  if ("token" in auth) return { authorization: `Bearer ${auth.token}` };
  return { authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}` };
}

async function bodyOf(server: MetricServer, body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxReplyBytes)
      throw unavailable(server, `answered with more than ${maxReplyBytes} bytes; aggregate the query to one number`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function answerIn(server: MetricServer, reply: Reply): Answer {
  const json = parseJson(reply.body);
  const failed = failure.safeParse(json);
  // 400 bad_data and 422 execution are about the query; the server's own words say best what is wrong with it.
  if (failed.success && (reply.status === 400 || reply.status === 422))
    throw new MetricError("query", `the query was refused: ${failed.data.error}`);
  if (failed.success) throw unavailable(server, `answered ${reply.status}: ${failed.data.error}`);
  if (reply.status !== 200) throw unavailable(server, refusal(server, reply));
  const answer = success.safeParse(json);
  if (!answer.success)
    throw unavailable(
      server,
      `answered with ${json === undefined ? "something that is not JSON" : "JSON of another form"}; is it a Prometheus?`,
    );
  return answer.data;
}

function refusal({ auth }: MetricServer, { status, location }: Reply): string {
  if (status === 401 || status === 403) {
    return auth
      ? `refused the credentials (${status}); see the Secret of secretRef`
      : `asks for credentials (${status}); a MetricTemplate can give them`;
  }
  if (status >= 300 && status < 400)
    return `redirects (${status}) to ${withoutQuery(location ?? "nowhere")}; redirects are not followed, give the address itself`;
  if (status === 404) return "has no /api/v1/query (404); is it a Prometheus?";
  return `answered ${status}`;
}

function resultOf({ data, warnings = [] }: Answer): QueryResult {
  if (data.resultType === "matrix")
    throw new MetricError("query", "the query gives a range of samples (matrix); a check needs one number, e.g. by rate or avg_over_time");
  if (data.resultType === "string") throw new MetricError("query", "the query gives a string; a check needs a number");
  // A partial answer of several stores comes as a number and a warning: the number may be wrong.
  if (warnings.length > 0) throw new MetricError("unavailable", `the answer came with a warning: ${warnings.join("; ").slice(0, 500)}`);
  if (data.resultType === "scalar") return numberIn(data.result[1]);
  const [first, ...others] = data.result;
  if (!first) return { kind: "noData", why: "empty" };
  if (others.length > 0) return { kind: "ambiguous", series: data.result.length };
  if (!first.value)
    throw new MetricError("query", "the query gives a native histogram; a check needs a number, e.g. by histogram_quantile");
  return numberIn(first.value[1]);
}

const infinities: Record<string, number> = { "+Inf": Infinity, Inf: Infinity, "-Inf": -Infinity };

function numberIn(text: string): QueryResult {
  const value = infinities[text] ?? Number(text);
  return Number.isNaN(value) ? { kind: "noData", why: "nan" } : { kind: "number", value };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// A name with several addresses fails with one error for each, and none of its own.
function reasonOf(err: unknown): string {
  return messageOf(err instanceof AggregateError && err.message === "" ? err.errors[0] : err);
}

function unavailable({ address }: MetricServer, what: string): MetricError {
  return new MetricError("unavailable", `${withoutQuery(address)} ${what}`);
}

// Query parts and credentials in addresses can be secrets.
function withoutQuery(address: string): string {
  return address.replace(/[?#].*$/s, "").replace(/\/\/[^/@]*@/, "//");
}
