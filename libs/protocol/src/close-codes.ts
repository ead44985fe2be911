import type { CloseCode } from "./gen/sotto/v1/client_pb.js";

/** True where a client that was closed with this code comes back by itself: the 1xxx range. */
export function reconnects(code: CloseCode): boolean {
  return code < 2000;
}
