import { ErrorCode, limits, SottoError } from "@sotto/protocol";
import type { Answer, Keyserver, RequestValue } from "./command.ts";

/** Takes back records that a restored copy lacks. Anybody may bring them: see `TakeBack`. */
export async function handBackRecords(
  server: Keyserver,
  request: RequestValue<"handBackRecords">,
): Promise<Answer> {
  const bytes = request.records.reduce((sum, record) => sum + record.length, 0);
  if (bytes > limits.directoryPageBytesMax)
    throw new SottoError(ErrorCode.TOO_LARGE, "too many records in one request");
  const next = await server.takeBack.take(request);
  return { case: "handedBack", value: { next: BigInt(next) } };
}
