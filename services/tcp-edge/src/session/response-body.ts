import type { MessageInitShape } from "@bufbuild/protobuf";
import { type ErrorCode, type ResponseSchema, retryOf } from "@sotto/protocol";

/** The body of a Response, before it is encoded. */
export type ResponseBody = NonNullable<MessageInitShape<typeof ResponseSchema>["body"]>;

/** What a refusal may say beside its code. */
export interface RefusalDetails {
  /** STALE: the room's last handshake sequence. */
  readonly handshake?: number | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** A Response that refuses. `message` is for people and holds nothing that the client sent. */
export function refusal(
  code: ErrorCode,
  message: string,
  details: RefusalDetails = {},
): ResponseBody {
  return {
    case: "error",
    value: {
      code,
      retry: retryOf(code),
      message,
      handshake: BigInt(details.handshake ?? 0),
      retryAfterMs: details.retryAfterMs ?? 0,
    },
  };
}

/** The Response of a request that has nothing to tell but success. */
export const done: ResponseBody = { case: "done", value: {} };
