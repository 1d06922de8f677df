/** One HTTP answer; the text is sent as text/plain unless the headers say otherwise. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}
