/** Below what every host takes: GitHub refuses a body of more than 65,536 characters and a title of more than 256. */
const maxBody = 60_000;
const maxTitle = 250;

/** A title and a body as hosts take them: too long ones end with a mark of it. What is missing stays missing. */
export function fitting<T extends { readonly title?: string; readonly body?: string }>(text: T): T {
  const { title, body } = text;
  return {
    ...text,
    ...(title !== undefined && title.length > maxTitle ? { title: `${cut(title, maxTitle)}…` } : {}),
    ...(body !== undefined && body.length > maxBody ? { body: `${cut(body, maxBody)}\n\n… (shortened)` } : {}),
  };
}

/** The comment's text with its marker hidden in it, so that it is found again and not repeated. */
export function markedComment({ marker, body }: { marker: string; body: string }): string {
  return `${fitting({ body }).body}\n\n${hidden(marker)}`;
}

/** Whether this text was made by {@link markedComment} with the same marker. */
export function hasMarker(text: string, marker: string): boolean {
  return text.includes(hidden(marker));
}

/** An HTML comment must not hold `--` or `>`, so they are percent-encoded. */
function hidden(marker: string): string {
  return `<!-- serin:${encodeURIComponent(marker).replaceAll("--", "-%2D")} -->`;
}

/** Never half of a character that takes two. */
function cut(text: string, length: number): string {
  return text.slice(0, length).replace(/[\uD800-\uDBFF]$/, "");
}
