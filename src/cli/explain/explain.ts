import { canary as canaryKind } from "../../api/canary.ts";
import { apiVersion, parseObject } from "../../api/meta.ts";
import { keyOf } from "../../api/object.ts";
import { createKube } from "../../kube/client.ts";
import type { KubeConnection } from "../../kube/kubeconfig.ts";
import { explanationOf } from "./explanation.ts";

/** What `serin explain` is called with. */
export interface ExplainCommand {
  /** As on the command line: `canary/NAME`. */
  readonly subject: string;
  /** Missing: that of the connection. */
  readonly namespace: string | undefined;
  readonly connection: KubeConnection;
  readonly output: { write(text: string): unknown };
  /** For what is no result. */
  readonly notes: { write(text: string): unknown };
}

const form = /^(?:canary|canaries)\/([a-z0-9][-a-z0-9.]*)$/;

/** Runs `serin explain`. Returns what the process exits with: 0, 1 there is no such Canary, 2 it was called wrongly. */
export async function explainCommand(command: ExplainCommand, signal: AbortSignal): Promise<number> {
  const { subject, connection, output, notes } = command;
  const name = form.exec(subject)?.[1];
  if (name === undefined) {
    notes.write(`serin: ${JSON.stringify(subject)} cannot be explained; write canary/NAME\n`);
    return 2;
  }
  const namespace = command.namespace ?? connection.namespace;
  const kube = createKube(connection);
  try {
    const found = await kube.find({ apiVersion, kind: canaryKind.kind, namespace, name }, signal);
    if (!found) {
      notes.write(`serin: there is no Canary ${keyOf({ namespace, name })}; --namespace says where to look\n`);
      return 1;
    }
    const parsed = parseObject(canaryKind, found);
    // The API server holds objects to the schema of the version that is installed there, which may be another one.
    if (!parsed.ok) {
      const problems = parsed.problems.map(({ path, message }) => `${path}: ${message}`).join("; ");
      throw new Error(`Canary ${keyOf({ namespace, name })} is of another version of Serin: ${problems}`);
    }
    output.write(explanationOf(parsed.value));
    return 0;
  } finally {
    await kube.close();
  }
}
