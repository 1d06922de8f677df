// node hack/kind/accounts.ts FILE: makes the accounts on kind's Gitea and writes the variables of the end-to-end suite.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { request } from "undici";
import type { Account } from "../control-plane/facts.ts";
import { fillGitea, newAdmin } from "../control-plane/gitea-accounts.ts";

const url = "http://127.0.0.1:3000";
const [, , file = ""] = process.argv;

/** Whether the accounts that were written down are still those of this Gitea, which forgets everything when its pod goes. */
async function areKnown(): Promise<boolean> {
  if (!existsSync(file)) return false;
  const [, , token = ""] = (parseEnv(readFileSync(file, "utf8"))["SERIN_E2E_GIT_SERIN"] ?? "").split(":");
  const { statusCode, body } = await request(`${url}/api/v1/user`, { headers: { authorization: `token ${token}` } });
  await body.dump();
  return statusCode === 200;
}

if (!(await areKnown())) {
  const { flags, ...admin } = newAdmin();
  execFileSync("kubectl", ["--namespace", "gitea", "exec", "deployment/gitea", "--", "gitea", "admin", "user", "create", ...flags], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const { organization, accounts } = await fillGitea(url, admin);
  const text = ({ login, password, token }: Account): string => `${login}:${password}:${token}`;
  const variables = {
    KUBECONFIG: process.env["KUBECONFIG"] ?? "",
    SERIN_E2E_GATEWAY: "http://127.0.0.1:8080",
    SERIN_E2E_PROMETHEUS: "http://127.0.0.1:9090",
    SERIN_E2E_GIT: url,
    SERIN_E2E_GIT_ORGANIZATION: organization,
    SERIN_E2E_GIT_PERSON: text(accounts.person),
    SERIN_E2E_GIT_BOT: text(accounts.bot),
    SERIN_E2E_GIT_SERIN: text(accounts.serin),
  };
  writeFileSync(file, Object.entries(variables).map(([name, value]) => `${name}='${value}'\n`).join(""), { mode: 0o600 });
}
