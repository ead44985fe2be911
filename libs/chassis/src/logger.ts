import { type Logger as PinoLogger, pino, stdTimeFunctions } from "pino";
import { humanLine } from "./human-line.ts";
import { type LogFields, loggable } from "./log-fields.ts";

/** From the most talkative to none. `error` means that somebody would investigate. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/**
 * Writes log lines. A service calls it from its `events.ts` only. Fields never hold payloads,
 * key material or text of people; bytes that slip in are dropped.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  fatal(message: string, fields?: LogFields): void;
  /** A logger whose lines all carry `fields`. */
  child(fields: LogFields): Logger;
}

/** Where lines go, each with its line feed; `process.stdout` and `process.stderr` fit. */
export interface LogDestination {
  write(line: string): unknown;
  /** A terminal gets colours. */
  readonly isTTY?: boolean;
}

export interface LoggerOptions {
  /** Name of the service, on every line. */
  readonly service: string;
  /** Default `info`. */
  readonly level?: LogLevel;
  /** One JSON object a line instead of lines for people. */
  readonly json?: boolean;
  /** Default: standard output. */
  readonly destination?: LogDestination;
}

/** A logger of one service. */
export function createLogger(options: LoggerOptions): Logger {
  const destination = options.destination ?? process.stdout;
  const stream = options.json ? destination : humanStream(destination);
  return new ServiceLogger(
    pino(
      {
        level: options.level ?? "info",
        base: { service: options.service },
        messageKey: "message",
        timestamp: stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }), log: loggable },
      },
      stream as { write(line: string): void },
    ),
  );
}

function humanStream(destination: LogDestination): LogDestination {
  const colour = destination.isTTY === true;
  return { write: (line) => destination.write(`${humanLine(line, colour)}\n`) };
}

class ServiceLogger implements Logger {
  readonly #pino: PinoLogger;

  constructor(target: PinoLogger) {
    this.#pino = target;
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#pino.debug(fields, message);
  }

  info(message: string, fields: LogFields = {}): void {
    this.#pino.info(fields, message);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#pino.warn(fields, message);
  }

  error(message: string, fields: LogFields = {}): void {
    this.#pino.error(fields, message);
  }

  fatal(message: string, fields: LogFields = {}): void {
    this.#pino.fatal(fields, message);
  }

  child(fields: LogFields): Logger {
    return new ServiceLogger(this.#pino.child(loggable(fields)));
  }
}

/** Drops every line; for tests, and for parts that are used without a service. */
export const silentLogger: Logger = createLogger({
  service: "none",
  level: "silent",
  destination: { write: () => undefined },
});
