import { type Checkpoint, checkpointNote } from "@sotto/identity";
import { limits, toSafeNumber } from "@sotto/protocol";
import { randomBytes } from "../bytes.ts";
import type { DirectoryServer } from "./directory-server.ts";

/** How often the server may ask for what it was given already: what it held led nowhere, or another replica answers. */
const setbacksMax = 3;
/** What fits a frame beside the note and the fields around it. */
const overheadBytes = 2048;
const bytesBeforeLogin = limits.frameBytesBeforeLoginMax - overheadBytes;
const bytesAfterLogin = limits.directoryPageBytesMax;

export interface HandBackOptions {
  /** The newest head that the server signed, all of whose records are here. */
  readonly head: Checkpoint;
  readonly origin: string;
  readonly logKey: Uint8Array;
  /** Where the server's records end. */
  readonly from: number;
  readonly loggedIn: boolean;
  /** Records from an index on, in order, at most `limit`; nothing where this device has none there. */
  readonly records: (from: number, limit: number) => Promise<readonly Uint8Array[]>;
}

/**
 * Hands the server what it lacks of a head that it has signed itself. Resolves when it has, or holds, as much of it
 * as this device can give. Rejects as the connection does, and with the server's refusal.
 */
export async function handBack(
  connection: DirectoryServer,
  options: HandBackOptions,
): Promise<void> {
  const { head, origin, logKey } = options;
  const note = await checkpointNote(head, origin, logKey);
  const contribution = randomBytes(16);
  for (let from = options.from, setbacks = 0; ; ) {
    const records = from < head.size ? await batch(from, options) : [];
    const value = { note, from: BigInt(from), records: [...records], contribution };
    const answer = await connection.request({ case: "handBackRecords", value }, "handedBack");
    const next = toSafeNumber(answer.next);
    if (next <= from) setbacks++;
    // It has them all, or something else is in the way than that it lacks these.
    if (next >= head.size || setbacks > setbacksMax || (next === from && records.length === 0))
      return;
    from = next;
  }
}

async function batch(from: number, options: HandBackOptions): Promise<readonly Uint8Array[]> {
  const most = options.loggedIn ? bytesAfterLogin : bytesBeforeLogin;
  const limit = Math.min(options.head.size - from, limits.directoryPageRecordsMax);
  const records = await options.records(from, limit);
  let bytes = 0;
  const end = records.findIndex((record) => {
    bytes += record.length + 8;
    return bytes > most;
  });
  return end < 0 ? records : records.slice(0, end);
}
