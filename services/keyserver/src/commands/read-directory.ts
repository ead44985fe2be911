import { limits, toSafeNumber } from "@sotto/protocol";
import type { Answer, Keyserver, RequestValue } from "./command.ts";

/** A page of identity records, exact bytes, in their one order. */
export async function readDirectory(
  server: Keyserver,
  request: RequestValue<"readDirectory">,
): Promise<Answer> {
  const most = limits.directoryPageRecordsMax;
  const from = toSafeNumber(request.from);
  const stored = await server.store.read(from, Math.min(request.limit || most, most));
  for (const { index, bytes } of stored) await server.state.compare(index, bytes);
  const records: Uint8Array[] = [];
  let bytes = 0;
  for (const record of stored) {
    bytes += record.bytes.length;
    if (records.length > 0 && bytes > limits.directoryPageBytesMax) break;
    records.push(record.bytes);
  }
  // The store may be ahead of the fold. A client that is ahead of both must hear their true size.
  const end = stored.length > 0 ? from + stored.length : 0;
  const size = BigInt(Math.max(server.state.directory.size, end));
  const checkpoint = await server.checkpoints.newest().catch((error: unknown) => {
    // What an altered store holds is shown as it is: whoever reads it sees that nobody signed it.
    if (!server.state.isAltered) throw error;
    return undefined;
  });
  return {
    case: "directoryPage",
    value: { from: request.from, records, size, ...(checkpoint ? { checkpoint } : {}) },
  };
}
