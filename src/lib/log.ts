import { pino } from "pino";

/** One line of JSON a message; messages are constant, values are fields. Never a secret, a token or a whole object. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}

/** Levels a user can choose, most talkative first. */
export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
type LogLevel = (typeof logLevels)[number];

/** A logger that writes JSON lines to standard error, so that standard output stays free for results. */
export function createLogger(level: LogLevel): Logger {
  // The level by its name, as log systems know it, and not as pino's number.
  const formatters = { level: (name: string) => ({ level: name }) };
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters }, pino.destination({ fd: 2, sync: true }));
}

/** A logger that says nothing. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
