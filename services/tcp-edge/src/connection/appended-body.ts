import type { Appended } from "@sotto/log";
import { fromHex } from "@sotto/protocol";
import type { ResponseBody } from "../session/response-body.ts";

/** How a client is told that the log has its record. */
export function appendedBody({ position, duplicate }: Appended): ResponseBody {
  const incarnation = fromHex(position.incarnation);
  const sequence = BigInt(position.sequence);
  return { case: "appended", value: { position: { incarnation, sequence }, duplicate } };
}
