import { gitRepository } from "../../api/git-repository.ts";
import { metricTemplate } from "../../api/metric-template.ts";
import { keyOf } from "../../api/object.ts";
import { sync as syncKind, type Sync } from "../../api/sync.ts";
import { checkTemplate } from "../../controllers/metric-template/reconcile.ts";
import { credentialsOfRemote } from "../../controllers/revert/hosts.ts";
import { refuseCycle, sourceOf } from "../../controllers/sync/source.ts";
import { hostAddress } from "../../githost/address.ts";
import { WaitingError } from "../../lib/errors.ts";
import type { Linted } from "./canaries.ts";
import { finder, typed } from "./given.ts";
import { requirePromql } from "./promql.ts";

/** Tells what would stall GitRepositories, Syncs and MetricTemplates, or keep them waiting for ever. */
export async function lintOthers(linted: Linted): Promise<void> {
  await lintRepositories(linted);
  await lintSyncs(linted);
  await lintTemplates(linted);
}

async function lintRepositories({ findings, objects }: Linted): Promise<void> {
  for (const { given, value: repository } of typed(gitRepository, objects)) {
    const { host, url, secretRef } = repository.spec;
    if (!host) continue;
    await findings.check(given, "spec.host", () => hostAddress(host.kind, url, host.apiURL));
    if (!host.secretRef && !secretRef) await findings.check(given, "spec.host", () => credentialsOfRemote(repository, { auth: undefined }));
  }
}

async function lintSyncs({ findings, objects, cluster }: Linted): Promise<void> {
  const repositories = finder(gitRepository, cluster.open);
  const syncs = typed(syncKind, objects);
  const known = { find: (key: string) => syncs.find(({ value }) => keyOf(value.metadata) === key)?.value };
  for (const { given, value: sync } of syncs) {
    await findings.check(given, "spec.sourceRef", () => requireSource(sync, repositories));
    await findings.check(given, "spec.dependsOn", () => refuseCycle(sync, known));
    const { namespace } = sync.metadata;
    const absent = (sync.spec.dependsOn ?? []).filter(({ name }) => !known.find(keyOf({ namespace, name })));
    // As for all that is named: where the files hold others of the kind and namespace, this one should be among them.
    const hasOthers = syncs.some(({ value }) => value !== sync && value.metadata.namespace === namespace);
    for (const { name } of absent) {
      const key = keyOf({ namespace, name });
      if (hasOthers) await findings.check(given, "spec.dependsOn", () => refuseDependency(key));
      else findings.unchecked.add(`Sync ${key} is not in the files`);
    }
  }
}

/** A source is read only in the cluster; that it is named rightly can be seen in the files. */
function requireSource(sync: Sync, repositories: Parameters<typeof sourceOf>[1]): void {
  try {
    sourceOf(sync, repositories);
  } catch (error) {
    if (!(error instanceof WaitingError && error.reason === "SourceNotReady")) throw error;
  }
}

function refuseDependency(key: string): never {
  throw new WaitingError("DependencyNotReady", `Sync ${key}, which spec.dependsOn names, does not exist`, 0);
}

async function lintTemplates({ findings, objects }: Linted): Promise<void> {
  for (const { given, value: { metadata, spec } } of typed(metricTemplate, objects)) {
    const label = `MetricTemplate ${keyOf(metadata)}`;
    await findings.check(given, "spec.query", () => {
      const query = checkTemplate(label, spec.query);
      // What a Canary's variables may make of it is seen with the Canary.
      if (!spec.query.includes("variables.")) requirePromql(label, query);
    });
  }
}
