import { branchCommit, branches } from "./git-dir.ts";
import { type Html, html, page } from "./html.ts";
import { headCommit } from "./pulls.ts";
import { defaultBranch, fullName, isOpen, type Pull, pullRef, type Repository, type TimelineEntry } from "./repository.ts";

/** What a form must send back, so that no other web site can press our buttons. */
export interface FormKey {
  readonly formKey: string;
}

const maxDiffCharacters = 200_000;

/** All repositories. */
export function indexPage(repositories: readonly Repository[]): string {
  const items = repositories.map((repository) => html`<li><a href="/${fullName(repository)}">${fullName(repository)}</a></li>`);
  return page("Git server", html`<h1>Repositories</h1><ul>${items}</ul>`);
}

/** A repository: how to clone it, its branches, pull requests and last commits. */
export async function repositoryPage(repository: Repository, url: string): Promise<string> {
  const name = fullName(repository);
  const all = await branches(repository.git);
  const heads = [...all].map(([branch, commit]) => html`<li>${branch} <code>${commit.slice(0, 7)}</code></li>`);
  const pulls = [...repository.pulls].reverse().map((pull) => html`<li>${link(repository, pull)} ${state(pull)}</li>`);
  const content = html`<p><a href="/">all repositories</a></p><h1>${name}</h1>${repository.archived ? html`<p>archived</p>` : ""}
<pre>git clone ${url}/${name}.git</pre>
<h2>Pull requests</h2><ul>${pulls}</ul><h2>Branches</h2><ul>${heads}</ul><h2>Commits</h2><pre>${await lastCommits(repository)}</pre>`;
  return page(name, content);
}

async function lastCommits({ git }: Repository): Promise<string> {
  const commit = await branchCommit(git, defaultBranch);
  if (!commit) return `nothing was pushed to ${defaultBranch} yet`;
  return (await git(["log", "-20", "--format=%h %an, %ad: %s", "--date=format:%H:%M:%S", commit])).stdout;
}

/** A pull request: its words as they were written, its diff, and buttons that work. */
export async function pullPage(repository: Repository, pull: Pull, { formKey }: FormKey): Promise<string> {
  const head = (await headCommit(repository, pull))?.slice(0, 7) ?? "gone";
  const title = `#${pull.number} ${pull.title}`;
  const reviews = pull.reviews.map(({ login, state: says }) => html`<p>${login}: ${says}</p>`);
  const content = html`<p><a href="/${fullName(repository)}">${fullName(repository)}</a></p><h1>${title}</h1>
<p>${state(pull)} <span class="quiet">${pull.poster} wants to merge ${pull.head} (${head}) into ${pull.base}</span></p>
<pre>${seen(pull.body)}</pre>${pull.timeline.map(timelineItem)}${reviews}
${buttons(repository, pull, formKey)}<h2>Changes</h2><pre>${diffLines(await diff(repository, pull))}</pre>`;
  return page(title, content);
}

function timelineItem({ type, login, body }: TimelineEntry): Html {
  if (type === "comment") return html`<p>${login}:</p><pre>${seen(body)}</pre>`;
  return html`<p class="quiet">${login}: ${type.replace("_", " ")}</p>`;
}

/** Markdown as a reader sees it: without what HTML comments hide. */
function seen(markdown: string): string {
  return markdown.replace(/<!--.*?-->/gs, "").trim();
}

function buttons(repository: Repository, pull: Pull, formKey: string): Html {
  if (repository.archived || pull.merged) return html``;
  const at = `/${fullName(repository)}/pulls/${pull.number}`;
  const button = (action: string, label: string) => html`<form method="post" action="${at}/${action}">
<input type="hidden" name="key" value="${formKey}"><button>${label}</button></form>`;
  return isOpen(pull) ? html`${button("merge", "Merge")}${button("close", "Close without merging")}` : button("reopen", "Reopen");
}

function link(repository: Repository, { number, title }: Pull): Html {
  return html`<a href="/${fullName(repository)}/pulls/${number}">#${number} ${title}</a>`;
}

function state(pull: Pull): Html {
  const word = pull.merged ? "merged" : isOpen(pull) ? "open" : "closed";
  return html`<strong class="${word}">${word}</strong>`;
}

async function diff({ git }: Repository, pull: Pull): Promise<string> {
  const base = pull.merged?.before ?? (await branchCommit(git, pull.base));
  if (!base) return `the branch ${pull.base} is gone`;
  const { stdout } = await git(["diff", "--no-ext-diff", "--no-textconv", "--no-color", `${base}...${pullRef(pull)}`]);
  return stdout.length > maxDiffCharacters ? `${stdout.slice(0, maxDiffCharacters)}\n…` : stdout;
}

function diffLines(text: string): Html[] {
  return text.split("\n").map((line) => {
    if (line.startsWith("+")) return html`<span class="add">${line}</span>\n`;
    return line.startsWith("-") ? html`<span class="del">${line}</span>\n` : html`${line}\n`;
  });
}
