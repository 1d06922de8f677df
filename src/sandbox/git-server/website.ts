import type { IncomingMessage } from "node:http";
import { type FormKey, indexPage, pullPage, repositoryPage } from "./pages.ts";
import { type Doer, editPull, getPull, mergePull } from "./pulls.ts";
import { type Pull, Refused, type Repository } from "./repository.ts";
import { textBody } from "./request-body.ts";
import { requireWritable, type Store, visibleRepository } from "./store.ts";

/** What the pages are made of. */
interface WebsiteOptions extends FormKey {
  readonly store: Store;
  readonly url: string;
  /** Whoever has the pages open acts as this account: the server listens on loopback only. */
  readonly login: string;
  readonly moved: (repository: Repository, login: string) => Promise<void>;
}

/** A page, or where to go next. */
type WebsiteReply = { readonly page: string } | { readonly location: string };

const place = /^\/(?<owner>[^/]+)\/(?<name>[^/]+?)(?:\.git)?(?:\/pulls\/(?<number>\d+)(?:\/(?<action>\w+))?)?\/?$/;

/** Answers a browser. Throws {@link Refused}. */
export async function answerBrowser(options: WebsiteOptions, request: IncomingMessage, path: string): Promise<WebsiteReply> {
  if (path === "/") return { page: indexPage(options.store.all()) };
  const { owner = "", name = "", number, action } = place.exec(path)?.groups ?? {};
  const repository = visibleRepository(options.store, [owner, name], true);
  if (number === undefined) return { page: await repositoryPage(repository, options.url) };
  const pull = getPull(repository, Number(number));
  if (action === undefined) return { page: await pullPage(repository, pull, options) };
  return act(options, request, { repository, pull, action });
}

async function act(
  { store, login, formKey, moved }: WebsiteOptions,
  request: IncomingMessage,
  { repository, pull, action }: { repository: Repository; pull: Pull; action: string },
): Promise<WebsiteReply> {
  if (request.method !== "POST") throw new Refused(405, "only POST");
  const form = new URLSearchParams(await textBody(request));
  if (form.get("key") !== formKey) throw new Refused(403, "this form is not from here; load the page again");
  requireWritable(repository, { login, mayWrite: true });
  const doer: Doer = { store, login };
  await repository.inTurn(async () => {
    await press(repository, { pull, doer, action });
    await moved(repository, login);
  });
  return { location: `/${repository.owner}/${repository.name}/pulls/${pull.number}` };
}

async function press(repository: Repository, { pull, doer, action }: { pull: Pull; doer: Doer; action: string }): Promise<void> {
  if (action === "merge") await mergePull(repository, pull, doer, { style: "merge", deleteBranch: true });
  else if (action === "close") editPull(pull, doer, { state: "closed" });
  else if (action === "reopen") editPull(pull, doer, { state: "open" });
  else throw new Refused(404, "not found");
}
