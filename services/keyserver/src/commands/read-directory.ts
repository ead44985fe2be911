import { limits, toSafeNumber } from "@sotto/protocol";
import type { Answer, Keyserver, RequestValue } from "./command.ts";

/** A page of identity records, exact bytes, in their one order. */
export async function readDirectory(
  server: Keyserver,
  request: RequestValue<"readDirectory">,
): Promise<Answer> {
  const limit = Math.max(
    1,
    Math.min(request.limit || limits.directoryPageRecordsMax, limits.directoryPageRecordsMax),
  );
  const stored = await server.store.read(toSafeNumber(request.from), limit);
  const records: Uint8Array[] = [];
  let bytes = 0;
  for (const record of stored) {
    bytes += record.bytes.length;
    if (records.length > 0 && bytes > limits.directoryPageBytesMax) break;
    records.push(record.bytes);
  }
  const size = Math.max(server.state.directory.size, Number(request.from) + records.length);
  return { case: "directoryPage", value: { from: request.from, records, size: BigInt(size) } };
}
