import type { MessageInitShape } from "@bufbuild/protobuf";
import { type EventSchema, encodeEvent, encodePing, encodeResponse } from "@sotto/protocol";
import type { ResponseBody } from "../session/response-body.ts";

/** The body of an Event, before it is encoded. */
export type EventBody = NonNullable<MessageInitShape<typeof EventSchema>["body"]>;

const pingToken = new Uint8Array(8);

/** A whole RESPONSE frame. */
export function responseFrame(stream: number, body: ResponseBody): Uint8Array {
  return encodeResponse(stream, { body });
}

/** A whole EVENT frame. It may be shared by any number of connections. */
export function eventFrame(body: EventBody): Uint8Array {
  return encodeEvent(0, { body });
}

/** A whole PING frame; nobody looks at the token of its pong. */
export function pingFrame(): Uint8Array {
  return encodePing(pingToken);
}
