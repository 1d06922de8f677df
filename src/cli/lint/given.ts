import { apiVersion, type Kind, parseObject, type Parsed, type Resource } from "../../api/meta.ts";
import { groupOf, type KindRef, keyOf, type KubeObject, parseKey } from "../../api/object.ts";
import type { Informer, Informers, Kube } from "../../kube/kube.ts";
import { isRecord } from "../../lib/json.ts";
import type { GivenObject } from "./problem.ts";

/** An object is looked for of which the files cannot say whether it exists: they hold none of its kind in its namespace. */
export class NotGivenError extends Error {
  constructor({ kind }: { readonly kind: string }, key: string) {
    super(`${kind} ${key} is not in the files`);
  }
}

/** The files in place of a cluster. */
export interface GivenCluster {
  /** Looking for an object throws {@link NotGivenError} where the files hold nothing of its kind in its namespace. */
  readonly open: Informers;
  /** What is not in the files does not exist. */
  readonly closed: Informers;
  /** Only Secrets can be asked for; one that is not in the files may well exist, as most are not in Git. */
  readonly kube: Pick<Kube, "find">;
}

/** The objects as a cluster that nothing changes. */
export function givenCluster(objects: readonly KubeObject[]): GivenCluster {
  const byKind = Map.groupBy(objects, ({ apiVersion, kind }) => idOf({ apiVersion, kind }));
  const informers = (isOpen: boolean): Informers => ({ of: (kind) => informerOf(kind, byKind.get(idOf(kind)) ?? [], isOpen) });
  const secrets = byKind.get("/Secret") ?? [];
  return {
    open: informers(true),
    closed: informers(false),
    kube: {
      find: async (ref) => {
        const key = keyOf(ref);
        const secret = ref.kind === "Secret" ? secrets.find(({ metadata }) => keyOf(metadata) === key) : undefined;
        if (!secret) throw new NotGivenError(ref, key);
        return encoded(secret);
      },
    },
  };
}

/** Versions of a kind are one and the same to the API server. */
function idOf({ apiVersion, kind }: KindRef): string {
  return `${groupOf(apiVersion)}/${kind}`;
}

function informerOf(kind: KindRef, objects: readonly KubeObject[], isOpen: boolean): Informer {
  const byKey = new Map(objects.map((object) => [keyOf(object.metadata), object]));
  const indexes = new Map<string, (object: KubeObject) => string[]>();
  return {
    kind,
    synced: true,
    whenSynced: async () => {},
    find: (key) => {
      const found = byKey.get(key);
      const { namespace } = parseKey(key);
      if (!found && isOpen && !objects.some(({ metadata }) => metadata.namespace === namespace)) throw new NotGivenError(kind, key);
      return found;
    },
    list: () => [...byKey.values()],
    addIndex: (index, indexOf) => void indexes.set(index, indexOf),
    byIndex: (index, value) => [...byKey.values()].filter((object) => indexes.get(index)?.(object).includes(value)),
    onChange: () => () => {},
  };
}

/** The API server keeps `stringData` as `data`. */
function encoded(secret: KubeObject): KubeObject {
  const texts = isRecord(secret["stringData"]) ? secret["stringData"] : {};
  const data = Object.entries(texts).map(([key, text]) => [key, Buffer.from(String(text)).toString("base64")] as const);
  return { ...secret, data: { ...(isRecord(secret["data"]) ? secret["data"] : {}), ...Object.fromEntries(data) } };
}

type Of<K extends Kind> = Resource<ReturnType<K["spec"]["parse"]>, ReturnType<K["status"]["parse"]>>;

/** The objects of one of our kinds that fit its schema, with what they say. Of the others is told elsewhere. */
export function typed<K extends Kind>(kind: K, objects: readonly GivenObject[]): { readonly given: GivenObject; readonly value: Of<K> }[] {
  return objects
    .filter(({ object }) => object.kind === kind.kind && object.apiVersion === apiVersion)
    .flatMap((given) => {
      const parsed = parseObject(kind, given.object) as Parsed<Of<K>>;
      return parsed.ok ? [{ given, value: parsed.value }] : [];
    });
}

/** Finds objects of one of our kinds by `namespace/name`. Throws {@link NotGivenError} also for one that does not fit its schema. */
export function finder<K extends Kind>(kind: K, informers: Informers): { find(key: string): Of<K> | undefined } {
  const informer = informers.of({ apiVersion, kind: kind.kind });
  return {
    find: (key) => {
      const object = informer.find(key);
      const parsed = object && (parseObject(kind, object) as Parsed<Of<K>>);
      if (parsed && !parsed.ok) throw new NotGivenError(kind, key);
      return parsed?.value;
    },
  };
}
