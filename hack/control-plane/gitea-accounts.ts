import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { request } from "undici";
import { z } from "zod";
import type { Account, Facts } from "./facts.ts";
import { type Layout, type Settings } from "./layout.ts";
import { asNobody, binary, giteaEnvironment } from "./parts.ts";

const run = promisify(execFile);
const limitMs = 60_000;
const organization = "acme";

/** Who has an account, and what they may do with the organisation's repositories. */
const people = {
  person: { login: "ada", team: "Owners" },
  bot: { login: "renovate-bot", team: "writers" },
  serin: { login: "serin", team: "writers" },
  readOnly: { login: "reader", team: "readers" },
} as const;

/** Who may make accounts. */
interface Admin {
  readonly login: string;
  readonly password: string;
}

/** An administrator that no Gitea knows yet, and the flags of `gitea admin user create` that make one of it. */
export function newAdmin(): Admin & { readonly flags: readonly string[] } {
  const [login, password] = ["site-admin", newPassword()];
  const flags = ["--username", login, "--password", password, "--email", `${login}@serin.dev`, "--admin", "--must-change-password=false"];
  return { login, password, flags };
}

/** Makes the accounts, their tokens and the organisation on the control plane's Gitea, which runs. */
export async function makeAccounts(settings: Settings, layout: Layout): Promise<Facts["gitea"]> {
  const admin = newAdmin();
  const [command, ...before] = asNobody;
  await run(command, [...before, binary(settings, "gitea"), "--config", layout.giteaConfig, "admin", "user", "create", ...admin.flags], {
    env: { ...process.env, ...giteaEnvironment(layout) },
    signal: AbortSignal.timeout(limitMs),
  });
  return await fillGitea(`http://127.0.0.1:${settings.giteaPort}`, admin);
}

/** Makes the accounts, their tokens and the organisation on a Gitea that nobody else has an account on. */
export async function fillGitea(url: string, admin: Admin): Promise<Facts["gitea"]> {
  const api = giteaApi(url, admin);
  const made = Object.entries(people).map(async ([role, { login }]) => [role, await account(api, url, login)] as const);
  const accounts = Object.fromEntries(await Promise.all(made)) as Facts["gitea"]["accounts"];
  await api("POST", "/orgs", { username: organization, repo_admin_change_team_access: true });
  const teams = await makeTeams(api);
  for (const { login, team } of Object.values(people)) await api("PUT", `/teams/${teams[team]}/members/${login}`);
  return { url, organization, accounts };
}

type Api = (method: "GET" | "POST" | "PUT", path: string, body?: object) => Promise<unknown>;

/** Everybody has a token for everything that they themselves may do. */
async function account(api: Api, url: string, login: string): Promise<Account> {
  const password = newPassword();
  const email = `${login}@serin.dev`;
  await api("POST", "/admin/users", { username: login, email, password, must_change_password: false, visibility: "public" });
  const own = giteaApi(url, { login, password });
  const made = await own("POST", `/users/${login}/tokens`, { name: "control-plane", scopes: ["all"] });
  const { sha1 } = z.object({ sha1: z.string() }).parse(made);
  return { login, password, token: sha1 };
}

/** Ids by name. The one of the owners is there already. */
async function makeTeams(api: Api): Promise<Record<(typeof people)[keyof typeof people]["team"], number>> {
  const team = z.object({ id: z.int(), name: z.string() });
  const make = async (name: string, permission: "read" | "write"): Promise<number> => {
    const units = { "repo.code": permission, "repo.pulls": permission, "repo.issues": permission, "repo.releases": permission };
    const body = { name, permission, units_map: units, includes_all_repositories: true, can_create_org_repo: permission === "write" };
    return team.parse(await api("POST", `/orgs/${organization}/teams`, body)).id;
  };
  const [owners] = z.array(team).parse(await api("GET", `/orgs/${organization}/teams`));
  return { Owners: owners?.id ?? 0, writers: await make("writers", "write"), readers: await make("readers", "read") };
}

function giteaApi(url: string, { login, password }: Admin): Api {
  const authorization = `Basic ${Buffer.from(`${login}:${password}`).toString("base64")}`;
  return async (method, path, body) => {
    const { statusCode, body: answer } = await request(`${url}/api/v1${path}`, {
      method,
      headers: { authorization, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(limitMs),
    });
    const text = await answer.text();
    if (statusCode >= 300) throw new Error(`Gitea answered ${statusCode} to ${method} ${path}: ${text.slice(0, 300)}`);
    return text === "" ? undefined : (JSON.parse(text) as unknown);
  };
}

function newPassword(): string {
  return randomBytes(12).toString("base64url");
}
