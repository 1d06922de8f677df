import type { Cluster } from "./objects.ts";
import { fill, recordAt, recordsAt, textAt } from "./read-fields.ts";
import type { Draft, ResourceType } from "./resource-type.ts";

/** Gives a Service the address, and the node ports, that it needs and does not have. Other kinds are left alone. */
export function allocateAddresses({ store }: Cluster, type: ResourceType, object: Draft): void {
  if (type.kind !== "Service" || type.group !== "") return;
  const spec = recordAt(object, "spec");
  const others = store.list(type, undefined).filter(({ metadata }) => metadata.uid !== object.metadata.uid);
  if (spec["type"] === "ExternalName") return;
  fill(spec, { ipFamilies: ["IPv4"], ipFamilyPolicy: "SingleStack" });
  if (textAt(spec, "clusterIP") === "") spec["clusterIP"] = freeAddress(new Set(others.map((other) => textAt(other, "spec", "clusterIP"))));
  spec["clusterIPs"] = [spec["clusterIP"]];
  if (spec["type"] === "ClusterIP") return;
  const taken = new Set(others.flatMap((other) => recordsAt(other, "spec", "ports").map(({ nodePort }) => nodePort)));
  for (const port of recordsAt(spec, "ports")) {
    port["nodePort"] ??= freePort(taken);
    taken.add(port["nodePort"]);
  }
}

/** The first address of 10.96.0.0/16 that nobody has; .1 is the API server's own. */
function freeAddress(taken: ReadonlySet<string>): string {
  for (let number = 10; number < 65_535; number += 1) {
    const address = `10.96.${number >> 8}.${number & 255}`;
    if (!taken.has(address)) return address;
  }
  throw new Error("no free address is left in 10.96.0.0/16");
}

function freePort(taken: ReadonlySet<unknown>): number {
  for (let port = 30_000; port < 32_768; port += 1) if (!taken.has(port)) return port;
  throw new Error("no free node port is left");
}
