import { gitRepository } from "../api/git-repository.ts";
import { apiVersion, parseObject } from "../api/meta.ts";
import { keyOf, type ObjectRef } from "../api/object.ts";
import { findSecret } from "../controllers/secrets.ts";
import type { Informers, Kube } from "../kube/kube.ts";
import type { HookTarget } from "../server/hooks.ts";

/** The webhooks of GitRepositories. */
export interface HookTargets {
  /** `undefined`: there is no such object, or it takes no webhooks. `busy`: as many others as allowed are being looked up. */
  find(namespace: string, name: string): Promise<HookTarget | "busy" | undefined>;
  /** From now on this replica leads and has copies of all objects: until the signal aborts they are looked at first. */
  follow(informers: Informers, signal: AbortSignal): void;
}

const readMs = 10_000;
/**
 * Whoever knows no token can still have names looked up: that must not take the API server from those who work. What is not there is
 * not remembered: it may be made the next moment, and no Git host says twice that somebody pushed.
 */
const maxLookups = 8;

/**
 * Reads by requests on a replica that only waits. The leader reads what it has found before from its own copies, so that a
 * push costs no requests for looking up whose it is.
 */
export function createHookTargets(kube: Pick<Kube, "find">): HookTargets {
  let copies: Informers | undefined;
  let lookups = 0;
  const found = new Set<string>();
  const find = async (ref: ObjectRef, signal: AbortSignal) => {
    const informer = copies?.of({ apiVersion: ref.apiVersion, kind: ref.kind });
    return (informer?.synced ? informer.find(keyOf(ref)) : undefined) ?? (await kube.find(ref, signal));
  };
  const lookUp = async (ref: ObjectRef, signal: AbortSignal): Promise<HookTarget | undefined> => {
    // The first time by request: a copy may not have what was made a moment ago.
    const read = found.has(keyOf(ref)) ? find : kube.find.bind(kube);
    const repository = await read(ref, signal);
    const parsed = repository && parseObject(gitRepository, repository);
    if (!parsed?.ok || !parsed.value.spec.webhook) return undefined;
    found.add(keyOf(ref));
    const { webhook, suspend } = parsed.value.spec;
    const secret = await findSecret({ find: read }, { namespace: ref.namespace, name: webhook.secretRef.name }, signal);
    return { token: secret?.("token") ?? "", suspended: suspend };
  };
  return {
    find: async (namespace, name) => {
      const ref = { apiVersion, kind: "GitRepository", namespace, name };
      if (lookups >= maxLookups) return "busy";
      lookups += 1;
      try {
        return await lookUp(ref, AbortSignal.timeout(readMs));
      } finally {
        lookups -= 1;
      }
    },
    follow: (informers, signal) => {
      copies = informers;
      signal.addEventListener("abort", () => (copies = undefined), { once: true });
    },
  };
}
