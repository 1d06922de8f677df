/** A series' labels, `__name__` among them. Empty values are never stored: Prometheus takes them as missing. */
export type Labels = ReadonlyMap<string, string>;

/** Labels from names and values, without the empty ones. */
export function labelsOf(entries: Iterable<readonly [string, string]>): Labels {
  return new Map([...entries].filter(([, value]) => value !== ""));
}

/** The same text for the same labels, whatever their order. */
export function signatureOf(labels: Labels): string {
  return JSON.stringify([...labels].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** Only these labels. */
export function keep(labels: Labels, names: readonly string[]): Labels {
  return new Map([...labels].filter(([name]) => names.includes(name)));
}

/** All but these labels. */
export function drop(labels: Labels, names: readonly string[]): Labels {
  return new Map([...labels].filter(([name]) => !names.includes(name)));
}

/** A condition on one label. A missing label counts as empty. */
export interface Matcher {
  readonly label: string;
  readonly matches: (value: string) => boolean;
  /** The one value that fits, where there is only one. */
  readonly equals?: string;
}

const anchored = (pattern: string): RegExp => {
  // JavaScript has no inline flags for the whole pattern.
  const [, insensitive, rest = ""] = /^(\(\?i\))?(.*)$/s.exec(pattern) ?? [];
  return new RegExp(`^(?:${rest})$`, insensitive === undefined ? "" : "i");
};

/** The matcher that `label operator "value"` says. Throws SyntaxError on a broken regular expression. */
export function matcherOf(label: string, operator: "=" | "!=" | "=~" | "!~", value: string): Matcher {
  switch (operator) {
    case "=":
      return { label, matches: (actual) => actual === value, equals: value };
    case "!=":
      return { label, matches: (actual) => actual !== value };
    case "=~": {
      const regexp = anchored(value);
      return { label, matches: (actual) => regexp.test(actual) };
    }
    case "!~": {
      const regexp = anchored(value);
      return { label, matches: (actual) => !regexp.test(actual) };
    }
    default:
      return operator satisfies never;
  }
}

/** Whether labels meet every condition. */
export function fits(labels: Labels, matchers: readonly Matcher[]): boolean {
  return matchers.every(({ label, matches }) => matches(labels.get(label) ?? ""));
}
