import type { KubeObject } from "../api/object.ts";

/** Which keys have which value, for every index that was defined. */
interface Indexes {
  /** Throws when the name is taken. */
  define(name: string, indexOf: (object: KubeObject) => string[], existing: Iterable<[string, KubeObject]>): void;
  /** Throws when there is no such index. */
  keysOf(name: string, value: string): string[];
  update(key: string, before: KubeObject | undefined, after: KubeObject | undefined): void;
}

interface Index {
  indexOf(object: KubeObject): string[];
  readonly keys: Map<string, Set<string>>;
}

/** No indexes yet. An index function that throws gives no values, and is reported. */
export function createIndexes(report: (key: string, error: unknown) => void): Indexes {
  const indexes = new Map<string, Index>();
  const valuesOf = (index: Index, key: string, object: KubeObject | undefined): string[] => {
    try {
      return object ? index.indexOf(object) : [];
    } catch (error) {
      report(key, error);
      return [];
    }
  };
  return {
    define: (name, indexOf, existing) => {
      if (indexes.has(name)) throw new Error(`the index ${name} is defined twice`);
      const index: Index = { indexOf, keys: new Map() };
      indexes.set(name, index);
      for (const [key, object] of existing) for (const value of valuesOf(index, key, object)) addTo(index, value, key);
    },
    keysOf: (name, value) => {
      const index = indexes.get(name);
      if (!index) throw new Error(`there is no index ${name}; define it with addIndex at wiring`);
      return [...(index.keys.get(value) ?? [])];
    },
    update: (key, before, after) => {
      for (const index of indexes.values()) {
        for (const value of valuesOf(index, key, before)) dropFrom(index, value, key);
        for (const value of valuesOf(index, key, after)) addTo(index, value, key);
      }
    },
  };
}

function addTo({ keys }: Index, value: string, key: string): void {
  const set = keys.get(value);
  if (set) set.add(key);
  else keys.set(value, new Set([key]));
}

function dropFrom({ keys }: Index, value: string, key: string): void {
  const set = keys.get(value);
  set?.delete(key);
  if (set?.size === 0) keys.delete(value);
}
