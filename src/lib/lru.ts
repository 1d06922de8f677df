/** A cache that forgets what was not used for longest. */
interface Lru<V> {
  get(key: string): V | undefined;
  /** @param weight what the value counts against the limit */
  set(key: string, value: V, weight?: number): void;
}

/** An empty cache whose weights together stay within the limit. A value heavier than the limit is not kept. */
export function createLru<V>(limit: number): Lru<V> {
  const entries = new Map<string, { value: V; weight: number }>();
  let total = 0;
  const drop = (key: string): void => {
    total -= entries.get(key)?.weight ?? 0;
    entries.delete(key);
  };
  return {
    get: (key) => {
      const entry = entries.get(key);
      if (!entry) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    set: (key, value, weight = 1) => {
      drop(key);
      if (weight > limit) return;
      entries.set(key, { value, weight });
      total += weight;
      for (const oldest of entries.keys()) {
        if (total <= limit) break;
        drop(oldest);
      }
    },
  };
}
