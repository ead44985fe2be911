import { JetStreamApiError } from "@nats-io/jetstream";
import { LogError } from "../log.ts";

/** Wrong last sequence; the same from a replica that does not tell which. */
const staleCodes: readonly number[] = [10071, 10164];
/** Insufficient resources, storage resources exceeded, store failed, stream limits. */
const fullCodes: readonly number[] = [10023, 10047, 10077, 10054, 10122];

/** The port's error for what the server or the client library refused. */
export function logErrorOf(cause: unknown): LogError {
  if (cause instanceof LogError) return cause;
  if (cause instanceof JetStreamApiError) return apiError(cause.code, cause.message, cause);
  return new LogError("UNAVAILABLE", "the log's server does not answer", { cause });
}

/** The port's error for a JetStream error code. */
export function apiError(code: number, description: string, cause?: unknown): LogError {
  if (staleCodes.includes(code)) {
    const told = /wrong last sequence: (\d+)/.exec(description)?.[1];
    const handshake = told === undefined ? {} : { handshake: Number(told) };
    return new LogError("STALE", "another handshake record came first", { ...handshake, cause });
  }
  if (fullCodes.includes(code)) return new LogError("FULL", description, { cause });
  return new LogError("UNAVAILABLE", description, { cause });
}
