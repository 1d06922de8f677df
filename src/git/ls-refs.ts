import { GitError, type Ref, type Remote } from "./git.ts";
import { type Http, type HttpReply, HttpStatusError, remoteName } from "./http.ts";
import { delimiterPkt, encodePkt, flushPkt, parsePktLines, type PktLine, printable } from "./pkt-line.ts";

/**
 * Refs whose names start with one of the prefixes, in one POST with protocol v2; a server that speaks only v1 is asked for its
 * whole advertisement instead. A branch that does not exist is simply not in the list.
 */
export async function listRefs(
  http: Http,
  remote: Remote,
  { prefixes, signal }: { prefixes: readonly string[]; signal: AbortSignal },
): Promise<Ref[]> {
  const refs = (await askV2(http, remote, { prefixes, signal })) ?? (await advertised(http, remote, signal));
  return refs.filter(({ name }) => prefixes.some((prefix) => name.startsWith(prefix)));
}

/** `undefined`: the server does not speak protocol v2. */
async function askV2(
  http: Http,
  remote: Remote,
  { prefixes, signal }: { prefixes: readonly string[]; signal: AbortSignal },
): Promise<Ref[] | undefined> {
  const body = Buffer.concat([
    encodePkt("command=ls-refs\n"),
    encodePkt("agent=git/serin\n"),
    encodePkt("object-format=sha1\n"),
    delimiterPkt,
    ...prefixes.map((prefix) => encodePkt(`ref-prefix ${prefix}\n`)),
    flushPkt,
  ]);
  const headers = {
    "git-protocol": "version=2",
    "content-type": "application/x-git-upload-pack-request",
    accept: "application/x-git-upload-pack-result",
  };
  try {
    return refsOfV2(await http.exchange(remote, { method: "POST", path: "/git-upload-pack", headers, body }, signal));
  } catch (error) {
    // A v1 server answers the unknown request with any status it likes; a web page or a refusal is final.
    if (error instanceof HttpStatusError && error.status !== 429) return undefined;
    throw error;
  }
}

function refsOfV2({ contentType, body }: HttpReply): Ref[] | undefined {
  if (!contentType.startsWith("application/x-git-upload-pack-result")) return undefined;
  const lines = parsePktLines(body);
  const refs = lines.slice(0, -1).map(parseRef);
  // A v2 reply is refs and one flush, so an empty repository is a lone flush and v1's silence is not.
  return lines.at(-1) === "flush" && refs.every((ref) => ref !== undefined) ? refs : undefined;
}

async function advertised(http: Http, remote: Remote, signal: AbortSignal): Promise<Ref[]> {
  const path = "/info/refs?service=git-upload-pack";
  const { contentType, body } = await http.exchange(remote, { method: "GET", path }, signal);
  const where = remoteName(remote);
  if (!contentType.startsWith("application/x-git-upload-pack-advertisement")) {
    throw new GitError(
      "GitOperationFailed",
      `${where} does not speak Git's smart HTTP protocol (content type "${printable(contentType)}"); check spec.url`,
    );
  }
  const lines = parsePktLines(body).filter((line) => line !== "flush");
  const failure = lines.map(String).find((line) => line.startsWith("ERR "));
  if (failure !== undefined) throw new GitError("GitOperationFailed", `${where} refused: ${printable(failure.slice(4))}`);
  if (lines.some((line) => /object-format=sha256/.test(String(line)))) {
    throw new GitError("GitOperationFailed", `${where} uses SHA-256 object names, which are not supported`);
  }
  return lines
    .map(parseRef)
    .filter((ref) => ref !== undefined)
    .filter(({ name }) => !name.endsWith("^{}") && name !== "capabilities^{}");
}

function parseRef(line: PktLine): Ref | undefined {
  const [, commit, name] = /^([0-9a-f]{40}) ([^\0 \n]+)/.exec(String(line)) ?? [];
  return commit !== undefined && name !== undefined ? { name, commit } : undefined;
}
