/** Text that is safe in a page; made by {@link html} only. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A piece of a page: every value in the template is escaped, unless it is such a piece itself or a list of them. */
export function html(strings: TemplateStringsArray, ...values: readonly (string | number | Html | readonly Html[])[]): Html {
  return new Html(strings.reduce((text, part, index) => text + safe(values[index - 1] ?? "") + part));
}

function safe(value: string | number | Html | readonly Html[]): string {
  if (value instanceof Html) return value.text;
  if (typeof value === "object") return value.map((piece) => piece.text).join("");
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const style = `body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1f2328;background:#fff}
pre{background:#f6f8fa;border:1px solid #d1d9e0;border-radius:6px;padding:.8rem;overflow:auto;white-space:pre-wrap}
.open{color:#1a7f37}.merged{color:#8250df}.closed{color:#d1242f}.add{color:#1a7f37}.del{color:#d1242f}.quiet{color:#59636e}
button{font:inherit;padding:.3rem .9rem;margin-right:.5rem}form{display:inline}a{color:#0969da}`;

/** A whole page. */
export function page(title: string, content: Html): string {
  return html`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><style>${new Html(style)}</style></head><body>${content}</body></html>
`.text;
}
