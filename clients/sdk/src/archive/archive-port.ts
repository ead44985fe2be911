import { create } from "@bufbuild/protobuf";
import { fromHex, limits, PositionSchema, toHex, toSafeNumber } from "@sotto/protocol";
import type { Connection } from "../connection/connection.ts";

/** Where a reader of an archive is. */
export interface ArchivePlace {
  /** Hex; names one life of the archive's log. */
  readonly incarnation: string;
  readonly sequence: number;
  /** Of the record there, hex; where it is not known the server cannot tell whether it still stands. */
  readonly sha256?: string;
}

export interface ArchivePage {
  readonly incarnation: string;
  readonly entries: readonly { readonly sequence: number; readonly data: Uint8Array }[];
  /** The last sequence there was. */
  readonly head: number;
}

/**
 * The port to a person's archive at the server: records in one order, readable by the person's own devices.
 * Both calls reject with `SottoError` or NOT_REACHABLE.
 */
export interface ArchivePort {
  /** Adds a record; durable once it resolved. The same id again changes nothing. */
  append(id: Uint8Array, data: Uint8Array): Promise<void>;
  /**
   * Records behind a place, or from the first. Rejects with LOG_RESET where the place is of another log, or another
   * record stands there.
   */
  read(after: ArchivePlace | undefined): Promise<ArchivePage>;
}

const requestTimeoutMs = 30_000;

/** The archive of whoever is logged in on the connection that `online` gives. */
export function connectedArchive(online: (timeoutMs: number) => Promise<Connection>): ArchivePort {
  return {
    async append(id, data) {
      const connection = await online(requestTimeoutMs);
      await connection.request({ case: "appendArchive", value: { id, data } }, "appended");
    },
    async read(after) {
      const connection = await online(requestTimeoutMs);
      const place = create(PositionSchema, {
        incarnation: fromHex(after?.incarnation ?? ""),
        sequence: BigInt(after?.sequence ?? 0),
      });
      const afterSha256 = fromHex(after?.sha256 ?? "");
      const value = { after: place, afterSha256, limit: limits.archivePageRecordsMax };
      const page = await connection.request({ case: "readArchive", value }, "archivePage");
      return {
        incarnation: toHex(page.incarnation),
        entries: page.entries.map(({ sequence, data }) => ({
          sequence: toSafeNumber(sequence),
          data,
        })),
        head: toSafeNumber(page.head),
      };
    },
  };
}
