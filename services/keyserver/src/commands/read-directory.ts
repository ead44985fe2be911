import type { StoredRecord } from "@sotto/directory";
import { ErrorCode, limits, SottoError, toSafeNumber } from "@sotto/protocol";
import type { Answer, Keyserver, RequestValue } from "./command.ts";

/** A page of identity records, exact bytes, in their one order. */
export async function readDirectory(
  server: Keyserver,
  request: RequestValue<"readDirectory">,
): Promise<Answer> {
  const from = toSafeNumber(request.from);
  const stored = await readStore(server, from, limitOf(request));
  const records = fitting(stored, limits.directoryPageBytesMax);
  // The store may be ahead of the fold. A client that is ahead of both must hear their true size.
  const end = stored.length > 0 ? from + stored.length : 0;
  const size = BigInt(Math.max(server.state.directory.size, end));
  const checkpoint = await server.checkpoints.newest().catch((error: unknown) => {
    // What an altered store holds is shown as it is: whoever reads it sees that nobody signed it.
    if (!server.state.isAltered) throw error;
    return undefined;
  });
  const altered = server.state.isAltered;
  return {
    case: "directoryPage",
    value: { from: request.from, records, size, altered, ...(checkpoint ? { checkpoint } : {}) },
  };
}

/**
 * The same for somebody who is not logged in, because an altered store may hold their device no more. A checkpoint
 * is shown to nobody but those who read its records: who brings one is given these, and learns nothing new. Rejects
 * with `SottoError` BAD_SIGNATURE for a note that is not this server's.
 */
export async function readKnownRecords(
  server: Keyserver,
  request: RequestValue<"readDirectory">,
): Promise<Answer> {
  const signed = await server.checkpoints.open(request.note);
  if (!signed) throw new SottoError(ErrorCode.BAD_SIGNATURE, "that note is not this server's");
  const from = toSafeNumber(request.from);
  const most = Math.max(0, Math.min(limitOf(request), signed.size - from));
  const stored = most > 0 ? await readStore(server, from, most) : [];
  const records = fitting(stored, limits.directoryPageBytesBeforeLoginMax);
  const { isAltered: altered } = server.state;
  return {
    case: "directoryPage",
    value: { from: request.from, records, size: BigInt(signed.size), altered },
  };
}

function limitOf({ limit }: RequestValue<"readDirectory">): number {
  const most = limits.directoryPageRecordsMax;
  return Math.min(limit || most, most);
}

async function readStore(server: Keyserver, from: number, limit: number) {
  const stored = await server.store.read(from, limit);
  for (const { index, bytes } of stored) await server.state.compare(index, bytes);
  return stored;
}

/** As many as a page may hold, and one at least. */
function fitting(stored: readonly StoredRecord[], bytesMax: number): Uint8Array[] {
  const records: Uint8Array[] = [];
  let bytes = 0;
  for (const record of stored) {
    bytes += record.bytes.length;
    if (records.length > 0 && bytes > bytesMax) break;
    records.push(record.bytes);
  }
  return records;
}
