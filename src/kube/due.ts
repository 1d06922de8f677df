/** Keys that wait for their time, each once. */
export interface Due {
  /** Of several times for a key the earliest wins. */
  set(key: string, atMs: number): void;
  delete(key: string): void;
  /** Takes out the keys whose time has come, earliest first. */
  release(nowMs: number): string[];
  /** When the next key's time comes; `undefined` when none waits. */
  nextMs(): number | undefined;
  size(): number;
}

interface Entry {
  readonly key: string;
  readonly atMs: number;
}

/** Entries that no longer count are swept out when they are more than those that do, and more than this. */
const maxStale = 64;

/** None waits yet. A heap, so that what one key costs hardly grows with the others. */
export function createDue(): Due {
  const times = new Map<string, number>();
  let heap: Entry[] = [];
  const counts = ({ key, atMs }: Entry): boolean => times.get(key) === atMs;
  const dropStale = (): void => {
    for (let [first] = heap; first && !counts(first); [first] = heap) pop(heap);
  };
  return {
    set: (key, atMs) => {
      const before = times.get(key);
      if (before !== undefined && before <= atMs) return;
      times.set(key, atMs);
      push(heap, { key, atMs });
      if (heap.length > 2 * times.size + maxStale) heap = heap.filter(counts).sort((a, b) => a.atMs - b.atMs);
    },
    delete: (key) => void times.delete(key),
    release: (nowMs) => {
      const keys: string[] = [];
      for (dropStale(); heap[0] && heap[0].atMs <= nowMs; dropStale()) {
        const { key } = heap[0];
        times.delete(key);
        keys.push(key);
      }
      return keys;
    },
    nextMs: () => {
      dropStale();
      return heap[0]?.atMs;
    },
    size: () => times.size,
  };
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.push(entry) - 1;
  for (let parent = (at - 1) >> 1; at > 0 && before(entry, heap[parent]); parent = (at - 1) >> 1) {
    swap(heap, at, parent);
    at = parent;
  }
}

/** Takes the first entry out. */
function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (!last || heap.length === 0) return;
  heap[0] = last;
  for (let at = 0; ; ) {
    const [left, right] = [2 * at + 1, 2 * at + 2];
    const least = before(heap[right], heap[left]) ? right : left;
    if (!before(heap[least], last)) return;
    swap(heap, at, least);
    at = least;
  }
}

function before(a: Entry | undefined, b: Entry | undefined): boolean {
  return a !== undefined && (b === undefined || a.atMs < b.atMs);
}

function swap(heap: Entry[], a: number, b: number): void {
  const [first, second] = [heap[a], heap[b]];
  if (first) heap[b] = first;
  if (second) heap[a] = second;
}
