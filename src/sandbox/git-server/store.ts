import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { gitDir } from "./git-dir.ts";
import { defaultBranch, fullName, Refused, type Repository, takeTurns } from "./repository.ts";
import type { Caller } from "./users.ts";

/** All repositories of one server. */
export interface Store {
  /** Throws {@link Refused} 409 when there is one of this name, 422 when the name cannot be. */
  create(owner: string, name: string, options: { readonly isPrivate: boolean }): Promise<Repository>;
  find(owner: string, name: string): Repository | undefined;
  all(): readonly Repository[];
  /** A number that was never given before. */
  nextId(): number;
}

/** A store of bare repositories below a folder: `dir/<owner>/<name>.git`. What is in the folder already is not read. */
export function createStore(dir: string): Store {
  const repositories = new Map<string, Repository>();
  let lastId = 0;
  const nextId = () => (lastId += 1);
  return {
    nextId,
    all: () => [...repositories.values()],
    find: (owner, name) => repositories.get(`${owner}/${name}`.toLowerCase()),
    create: async (owner, name, { isPrivate }) => {
      if (![owner, name].every((part) => /^[a-z0-9][\w.-]{0,99}$/i.test(part) && !/\.git$|\.\./i.test(part))) {
        throw new Refused(422, "The repository's name is invalid.");
      }
      const key = `${owner}/${name}`.toLowerCase();
      if (repositories.has(key)) throw new Refused(409, "The repository with the same name already exists.");
      const path = resolve(dir, owner, `${name}.git`);
      const repository: Repository = {
        id: nextId(),
        owner,
        name,
        isPrivate,
        path,
        git: gitDir(path),
        createdAt: new Date(),
        pulls: [],
        hooks: [],
        protectedBranches: new Set(),
        archived: false,
        branches: new Map(),
        inTurn: takeTurns(),
      };
      repositories.set(key, repository);
      await initialise(repository);
      return repository;
    },
  };
}

/** Refuses pushes to a protected branch, in Gitea's words. Merging a pull request does not come by here. */
const preReceive = `#!/bin/sh
while read -r old new ref; do
  branch=\${ref#refs/heads/}
  if grep -qxF -e "$branch" "$GIT_DIR/protected-branches"; then
    echo "Gitea: Not allowed to push to protected branch $branch" >&2
    exit 1
  fi
done
`;

async function initialise(repository: Repository): Promise<void> {
  await mkdir(repository.path, { recursive: true });
  await promisify(execFile)("git", ["init", "--quiet", "--bare", "--template=", `--initial-branch=${defaultBranch}`, repository.path]);
  await mkdir(join(repository.path, "hooks"), { recursive: true });
  await writeFile(join(repository.path, "hooks", "pre-receive"), preReceive, { mode: 0o755 });
  await saveProtection(repository);
}

/** Writes the protected branches where the hook reads them. */
export async function saveProtection({ path, protectedBranches }: Repository): Promise<void> {
  await writeFile(join(path, "protected-branches"), [...protectedBranches].map((branch) => `${branch}\n`).join(""));
}

/** A repository, by owner and name, that the caller may see. Throws {@link Refused} 404: a private one looks like a missing one. */
export function visibleRepository(store: Store, [owner, name]: readonly [string, string], signedIn: boolean): Repository {
  const repository = store.find(owner, name);
  if (!repository || (repository.isPrivate && !signedIn)) throw new Refused(404, "not found");
  return repository;
}

/**
 * Throws {@link Refused} unless this may be changed by somebody with these rights.
 * @param evenArchived for the changes that an archived repository takes
 */
export function requireWritable(repository: Repository, caller: Caller | undefined, { evenArchived = false } = {}): void {
  if (!caller) throw new Refused(401, "token is required");
  if (!caller.mayWrite) {
    const scopes = "required=[write:repository], token scope=read:repository";
    throw new Refused(403, `token does not have at least one of required scope(s), ${scopes}`);
  }
  if (repository.archived && !evenArchived) throw new Refused(423, `${fullName(repository)} is archived`);
}
