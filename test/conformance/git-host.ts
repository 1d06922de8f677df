import { afterEach, beforeEach, expect, test } from "vitest";
import type { ContractServer, Fault } from "../contract/contract-server.ts";
import { type GitHost, GitHostError, type GitHostErrorReason, type GitHostOptions, type PullRequest } from "../../src/githost/git-host.ts";

/** One repository on a host, and the hands of everybody else who works with it. */
export interface RepositoryLab {
  /** Makes or moves a branch to a new commit, on top of main; `change: false` leaves it at main. */
  push(branch: string, change?: boolean): Promise<string>;
  deleteBranch(branch: string): Promise<void>;
  /** Merges as a person would. Gives the commit that main is at then. */
  merge(number: number, style: "merge" | "squash" | "rebase"): Promise<string>;
  close(number: number, login: "person" | "bot"): Promise<void>;
  review(number: number, login: "person" | "bot", says: "approve" | "refuse"): Promise<void>;
  /** Texts of all comments. */
  comments(number: number): Promise<string[]>;
  stop(): Promise<void>;
}

/** A {@link RepositoryLab} behind HTTP. */
export interface HostLab extends RepositoryLab {
  /** Sees every request of the host under test. */
  readonly server: ContractServer;
  readonly options: Record<"writer" | "reader" | "stranger" | "elsewhere", GitHostOptions>;
  archive(): Promise<void>;
}

/** Logins of those who close and review, as the host writes them. */
interface LabNames {
  readonly person: string;
  readonly bot: string;
}

const head = "serin/revert/prod/shop/checkout/6d1f0a2";
const wanted = { head, base: "main", title: "Revert checkout", body: "It failed.\n\n| a | b |\n" };
const signal = () => AbortSignal.timeout(20_000);

/** The tests every host must pass. Both sides of every exchange are held to the host's own API description. */
export function testGitHost(host: (options: GitHostOptions) => GitHost, start: () => Promise<HostLab>, names: LabNames): void {
  let lab: HostLab;
  beforeEach(async () => {
    lab = await start();
  });
  afterEach(async () => {
    await lab.stop();
    expect(lab.server.violations).toEqual([]);
  });
  const subject: HttpSubject = { lab: () => lab, writer: () => host(lab.options.writer), host, names };
  testPullRequests(subject);
  testRefusals(subject);
  testFaults(subject);
}

/** The tests every host must pass, and what stands in for one without HTTP. */
export function testPullRequests(subject: Subject): void {
  testOpening(subject);
  testEnds(subject);
  testChanges(subject);
}

/** What is put to the test. */
export interface Subject {
  readonly lab: () => RepositoryLab;
  readonly writer: () => GitHost;
  readonly names: LabNames;
}

interface HttpSubject extends Subject {
  readonly lab: () => HostLab;
  readonly host: (options: GitHostOptions) => GitHost;
}

async function opened({ lab, writer }: Subject): Promise<PullRequest> {
  await lab().push(head);
  return writer().createPullRequest(wanted, signal());
}

function testOpening(subject: Subject): void {
  const { lab, writer } = subject;
  test("a branch that never had a pull request has none", async () => {
    await lab().push(head);
    expect(await writer().findPullRequest(head, signal())).toBeUndefined();
  });

  test("what is opened is found again", async () => {
    const commit = await lab().push(head);
    const made = await writer().createPullRequest(wanted, signal());
    expect(made).toMatchObject({ state: "open", headCommit: commit, title: wanted.title, body: wanted.body, approved: false });
    expect(made.url).toMatch(/^https?:\/\/.*\/1$/);
    expect(await writer().findPullRequest(head, signal())).toEqual(made);
    expect(await writer().findPullRequest(`${head}0`, signal())).toBeUndefined();
  });

  test("opening twice, one after the other or at once, ends with one", async () => {
    await lab().push(head);
    const open = () => writer().createPullRequest(wanted, signal());
    const all = [...(await Promise.all([open(), open(), open()])), await open()];
    expect(new Set(all.map(({ number }) => number))).toEqual(new Set([1]));
  });

  test("a push to its branch shows", async () => {
    await opened(subject);
    const commit = await lab().push(head);
    expect(await writer().findPullRequest(head, signal())).toMatchObject({ headCommit: commit });
  });

  test("a branch without a commit of its own is NoDifference", async () => {
    await lab().push(head, false);
    await expect(writer().createPullRequest(wanted, signal())).rejects.toMatchObject({ reason: "NoDifference" });
  });
}

function testEnds(subject: Subject): void {
  const { lab, writer, names } = subject;
  test.each(["merge", "squash", "rebase"] as const)("merged by %s: the commit on main is known, and the branch may go", async (style) => {
    const { number, headCommit } = await opened(subject);
    const mergeCommit = await lab().merge(number, style);
    expect(await writer().findPullRequest(head, signal())).toMatchObject({ state: "merged", mergeCommit, headCommit });
    await lab().deleteBranch(head);
    expect(await writer().findPullRequest(head, signal())).toMatchObject({ number, state: "merged", headCommit });
  });

  test.each(["person", "bot"] as const)("closed by a %s: it says by whom", async (who) => {
    const { number } = await opened(subject);
    await lab().close(number, who);
    const closedBy = { login: names[who], bot: who === "bot" };
    expect(await writer().findPullRequest(head, signal())).toMatchObject({ state: "closed", closedBy, mergeCommit: undefined });
  });

  test("after a closed one another can be opened, and the newest counts", async () => {
    const { number } = await opened(subject);
    await lab().close(number, "person");
    const next = await writer().createPullRequest(wanted, signal());
    expect(next.number).toBeGreaterThan(number);
    expect(await writer().findPullRequest(head, signal())).toEqual(next);
  });

  test("approved: the last word of a person counts, a bot's does not", async () => {
    const { number } = await opened(subject);
    const approved = async () => (await writer().findPullRequest(head, signal()))?.approved;
    await lab().review(number, "bot", "approve");
    expect(await approved()).toBe(false);
    await lab().review(number, "person", "approve");
    expect(await approved()).toBe(true);
    await lab().review(number, "person", "refuse");
    expect(await approved()).toBe(false);
  });
}

function testChanges(subject: Subject): void {
  const { lab, writer } = subject;
  test("title, body and state are changed one by one", async () => {
    const { number } = await opened(subject);
    const found = () => writer().findPullRequest(head, signal());
    await writer().updatePullRequest(number, { title: "Other" }, signal());
    expect(await found()).toMatchObject({ title: "Other", body: wanted.body, state: "open" });
    await writer().updatePullRequest(number, { body: "Words", state: "closed" }, signal());
    expect(await found()).toMatchObject({ title: "Other", body: "Words", state: "closed" });
    await writer().updatePullRequest(number, { state: "open" }, signal());
    expect(await found()).toMatchObject({ state: "open", closedBy: undefined });
  });

  test("words that are too long for a host are shortened, not refused", async () => {
    await lab().push(head);
    const long = { ...wanted, title: "t".repeat(300), body: "😀".repeat(40_000) };
    const { number, title, body } = await writer().createPullRequest(long, signal());
    expect([title.length, body.isWellFormed(), body.endsWith("😀\n\n… (shortened)")]).toEqual([251, true, true]);
    await writer().updatePullRequest(number, long, signal());
    await writer().comment(number, { marker: "m", body: long.body }, signal());
    await writer().comment(number, { marker: "m", body: long.body }, signal());
    expect(await lab().comments(number)).toHaveLength(1);
  });

  test("a comment is made once, however often it is asked for", async () => {
    const { number } = await opened(subject);
    const say = (marker: string, body: string) => writer().comment(number, { marker, body }, signal());
    await say("later/3f2a91c", "Close this if the new commit is the fix.");
    await say("later/3f2a91c", "Close this if the new commit is the fix.");
    await say("later/3f2a91c0", "Another commit.");
    await say("a--b>c", "Odd.");
    await say("a--b>c", "Odd.");
    expect((await lab().comments(number)).map((text) => text.split("\n")[0])).toEqual([
      "Close this if the new commit is the fix.", "Another commit.", "Odd.",
    ]);
  });

  test("a comment is found among many", async () => {
    const { number } = await opened(subject);
    await writer().comment(number, { marker: "first", body: "First." }, signal());
    for (let index = 0; index < 12; index += 1) await writer().comment(number, { marker: `m${index}`, body: "x" }, signal());
    await writer().comment(number, { marker: "first", body: "First." }, signal());
    expect(await lab().comments(number)).toHaveLength(13);
  });
}

function testRefusals({ lab, writer, host }: HttpSubject): void {
  const refused = async (work: Promise<unknown>): Promise<{ reason: GitHostErrorReason; message: string }> => {
    const error = await work.then(() => undefined, (thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(GitHostError);
    return error instanceof GitHostError ? error : { reason: "Unknown", message: "" };
  };

  test("a wrong token is Unauthorized, and stays secret", async () => {
    const { reason, message } = await refused(host(lab().options.stranger).findPullRequest(head, signal()));
    expect(reason).toBe("Unauthorized");
    expect(message).toMatch(/^GET http:.*\/pulls: 401 .+spec\.host\.secretRef/);
    expect(message).not.toContain("wrong-token");
  });

  test("a token without the right is Unauthorized, in the host's words, and nothing is lost", async () => {
    await lab().push(head);
    const reader = host(lab().options.reader);
    expect(await reader.findPullRequest(head, signal())).toBeUndefined();
    const { reason, message } = await refused(reader.createPullRequest(wanted, signal()));
    expect(reason).toBe("Unauthorized");
    expect(message).toMatch(/403 .*(token).*spec\.host\.secretRef/);
    expect(await writer().findPullRequest(head, signal())).toBeUndefined();
    const { number } = await writer().createPullRequest(wanted, signal());
    expect((await refused(reader.updatePullRequest(number, { state: "closed" }, signal()))).reason).toBe("Unauthorized");
    expect((await refused(reader.comment(number, { marker: "m", body: "x" }, signal()))).reason).toBe("Unauthorized");
    expect(await writer().findPullRequest(head, signal())).toMatchObject({ number, state: "open" });
  });

  test("an archived repository is RepositoryArchived, and can still be read", async () => {
    await lab().push(head);
    await lab().push(`${head}2`);
    const { number } = await writer().createPullRequest(wanted, signal());
    await lab().archive();
    const { reason, message } = await refused(writer().createPullRequest({ ...wanted, head: `${head}2` }, signal()));
    expect(reason).toBe("RepositoryArchived");
    expect(message).toMatch(/archived.*unarchive it/);
    expect(await writer().findPullRequest(head, signal())).toMatchObject({ number, state: "open" });
  });

  test("a repository that is not there is RepositoryNotFound", async () => {
    const { reason, message } = await refused(host(lab().options.elsewhere).findPullRequest(head, signal()));
    expect(reason).toBe("RepositoryNotFound");
    expect(message).toContain("spec.url");
  });

  test("a branch that is not there opens nothing", async () => {
    expect((await refused(writer().createPullRequest(wanted, signal()))).reason).not.toBe("NoDifference");
    expect(await writer().findPullRequest(head, signal())).toBeUndefined();
  });
}

const json = { "content-type": "application/json" };
const page = { "content-type": "text/html" };
const faults: [string, Fault, RegExp][] = [
  ["an error of the host", { status: 500, headers: json, text: '{"message":"boom"}' }, /500 boom/],
  ["a bad gateway's page", { status: 502, headers: page, text: "<h1>Bad gateway</h1>" }, /502 with text\/html/],
  ["a login page instead of JSON", { status: 200, headers: page, text: "<h1>Log in</h1>" }, /instead of JSON.*apiURL/],
  ["a proxy's page that says 403", { status: 403, headers: page, text: "<h1>Blocked</h1>" }, /403 with text\/html/],
  ["a web server's page that says 404", { status: 404, headers: page, text: "<h1>Not found</h1>" }, /404 with text\/html/],
  ["asked too often", { status: 429, headers: { ...json, "retry-after": "60" }, text: '{"message":"slow down"}' }, /429 slow down/],
  ["a rate limit that says 403", { status: 403, headers: json, text: '{"message":"API rate limit exceeded for 1.2.3.4"}' }, /rate limit/],
  ["a second rate limit", { status: 403, headers: { ...json, "retry-after": "60" }, text: '{"message":"wait a moment"}' }, /wait a moment/],
  ["broken JSON", { status: 200, headers: json, text: '[{"number":' }, /JSON|not what/],
  ["JSON of another kind", { status: 200, headers: json, text: '{"hello":"world"}' }, /not what/],
  ["a moved repository", { status: 301, headers: { location: "https://elsewhere/x" }, text: "" }, /moved to .*\/x.*spec\.url/],
  ["a reply without end", { status: 200, headers: json, text: `"${"x".repeat(17 * 1024 * 1024)}"` }, /more than \d+ bytes/],
  ["silence", "silence", /no answer within 300 ms/],
  ["a cut connection", "cut", /failed/],
];

function testFaults({ lab, host }: HttpSubject): void {
  test.each(faults)("%s is Unknown, asked once, and says nothing about the pull request", async (_, fault, message) => {
    lab().server.setFault(fault);
    const found = host({ ...lab().options.writer, timeoutMs: fault === "silence" ? 300 : 10_000 }).findPullRequest(head, signal());
    await expect(found).rejects.toMatchObject({ name: "GitHostError", reason: "Unknown", message: expect.stringMatching(message) });
    expect(lab().server.calls).toHaveLength(1);
  });

  test("who does not want to wait any more is let go", async () => {
    lab().server.setFault("silence");
    const controller = new AbortController();
    const found = host(lab().options.writer).findPullRequest(head, controller.signal);
    controller.abort(new Error("shutting down"));
    await expect(found).rejects.toThrow("shutting down");
  });

  test("a host that is down is Unknown", async () => {
    const down = { ...lab().options.writer, apiURL: "http://127.0.0.1:1" };
    await expect(host(down).findPullRequest(head, signal())).rejects.toMatchObject({ reason: "Unknown" });
  });
}
