import type { Turns } from "@sotto/actor";
import type { ErrorCode } from "@sotto/protocol";
import type { Input } from "../session/input.ts";
import type { ResponseBody } from "../session/response-body.ts";
import type { Principal } from "../session/session.ts";
import type { Outbox } from "./outbox.ts";

/** What the performers of effects may do with the connection that they work for. */
export interface ConnectionPort {
  readonly outbox: Outbox;
  /** Pages of the log are read in turns: many at once would be in memory until a slow client takes them. */
  readonly readings: Turns;
  /** Who is logged in. Throws before that: no effect that needs it comes earlier. */
  readonly principal: Principal;
  /** Aborts when the connection ends. */
  readonly ended: AbortSignal;
  /** Hands a result to the session. */
  feed(input: Input): void;
  /** Answers a request with what `work` resolves to, or with why it failed. */
  answer(stream: number, work: Promise<ResponseBody>): void;
  /** The code by which a failure is told; unexpected ones are logged. */
  codeOf(error: unknown): ErrorCode;
}
