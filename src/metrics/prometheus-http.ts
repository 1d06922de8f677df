import { request } from "undici";
import { z } from "zod";
import { messageOf } from "../lib/errors.ts";
import { MetricError, type MetricServer } from "./metric-provider.ts";

/** Longer queries go in a POST body: servers and proxies limit the length of an address. */
const maxGetLength = 2_000;

const failure = z.object({ status: z.literal("error"), error: z.string() });

interface Reply {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
}

/** One question to the HTTP API. */
export interface Question {
  readonly path: "/api/v1/query" | "/api/v1/query_range";
  readonly form: Readonly<Record<string, string>>;
  readonly maxReplyBytes: number;
  /** What to do when the reply is larger. */
  readonly ifTooLarge: string;
}

/** The JSON of a successful answer, as the schema reads it. Throws {@link MetricError}. */
export async function askPrometheus<T>(
  server: MetricServer,
  question: Question,
  { schema, signal }: { schema: z.ZodType<T>; signal: AbortSignal },
): Promise<T> {
  const reply = await send(server, question, signal);
  const json = parseJson(reply.body);
  const failed = failure.safeParse(json);
  // 400 bad_data and 422 execution are about the query; the server's own words say best what is wrong with it.
  if (failed.success && (reply.status === 400 || reply.status === 422))
    throw new MetricError("query", `the query was refused: ${failed.data.error}`);
  if (failed.success) throw unavailable(server, `answered ${reply.status}: ${failed.data.error}`);
  if (reply.status !== 200) throw unavailable(server, refusal(server, reply, question.path));
  const answer = schema.safeParse(json);
  if (!answer.success)
    throw unavailable(
      server,
      `answered with ${json === undefined ? "something that is not JSON" : "JSON of another form"}; is it a Prometheus?`,
    );
  return answer.data;
}

async function send(server: MetricServer, { path, form: fields, ...limits }: Question, signal: AbortSignal): Promise<Reply> {
  const form = new URLSearchParams({ ...fields, timeout: `${server.timeoutMs}ms` });
  const url = `${server.address.replace(/\/+$/, "")}${path}`;
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
      body: await bodyOf(server, response.body, limits),
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

async function bodyOf(
  server: MetricServer,
  body: AsyncIterable<Buffer>,
  { maxReplyBytes, ifTooLarge }: Pick<Question, "maxReplyBytes" | "ifTooLarge">,
): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxReplyBytes) throw unavailable(server, `answered with more than ${maxReplyBytes} bytes; ${ifTooLarge}`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function refusal({ auth }: MetricServer, { status, location }: Reply, path: string): string {
  if (status === 401 || status === 403) {
    return auth
      ? `refused the credentials (${status}); see the Secret of secretRef`
      : `asks for credentials (${status}); a MetricTemplate can give them`;
  }
  if (status >= 300 && status < 400)
    return `redirects (${status}) to ${withoutQuery(location ?? "nowhere")}; redirects are not followed, give the address itself`;
  if (status === 404) return `has no ${path} (404); is it a Prometheus?`;
  return `answered ${status}`;
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
