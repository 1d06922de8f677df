import type { HostKind } from "./address.ts";
import type { GitHost, GitHostOptions } from "./git-host.ts";
import { giteaHost } from "./gitea.ts";
import { githubHost } from "./github.ts";

/** Every hosting service we speak to, by its name in `spec.host.kind`. Nothing is sent before a method is called. */
export const hosts = { github: githubHost, gitea: giteaHost } satisfies Record<HostKind, (options: GitHostOptions) => GitHost>;
