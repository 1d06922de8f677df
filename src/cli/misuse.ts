/** What a command was called with cannot be understood, or is not there. The message says how to write it. */
export class MisuseError extends Error {}
