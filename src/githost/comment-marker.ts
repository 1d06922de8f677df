/** The comment's text with its marker hidden in it, so that it is found again and not repeated. */
export function markedComment({ marker, body }: { marker: string; body: string }): string {
  return `${body}\n\n${hidden(marker)}`;
}

/** Whether this text was made by {@link markedComment} with the same marker. */
export function hasMarker(text: string, marker: string): boolean {
  return text.includes(hidden(marker));
}

/** An HTML comment must not hold `--` or `>`, so they are percent-encoded. */
function hidden(marker: string): string {
  return `<!-- serin:${encodeURIComponent(marker).replaceAll("--", "-%2D")} -->`;
}
