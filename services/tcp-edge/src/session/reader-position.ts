import { type Position, toHex } from "@sotto/protocol";
import { incarnationOf, numberOf } from "./wire-values.ts";

/** Where a reader of a log is. */
export interface ReaderPosition {
  /** Empty for a read from the start. */
  readonly incarnation: string;
  readonly sequence: number;
  /** Of the record there, hex; empty where the reader does not say. */
  readonly sha256: string;
}

/** A position as a client says it; undefined where it is malformed. */
export function readerPosition(
  after: Position | undefined,
  sha256: Uint8Array,
): ReaderPosition | undefined {
  const incarnation = incarnationOf(after?.incarnation ?? new Uint8Array());
  const sequence = numberOf(after?.sequence ?? 0n);
  if (sequence === undefined || incarnation === undefined) return undefined;
  if (sha256.length !== 0 && sha256.length !== 32) return undefined;
  return { incarnation, sequence: incarnation === "" ? 0 : sequence, sha256: toHex(sha256) };
}
