import { ErrorCode, type ObjectId, SottoError } from "@sotto/protocol";
import type { ObjectRecord } from "./object-record.ts";

export interface ListingPage {
  readonly page: readonly ObjectRecord[];
  readonly more: boolean;
}

/**
 * The objects that follow `after`, by creation and then by id. Throws UNKNOWN_OBJECT where `after`
 * is not there any more: begin anew.
 */
export function listingPage(
  records: readonly ObjectRecord[],
  after: ObjectId | undefined,
  pageMax: number,
): ListingPage {
  const ordered = records.toSorted(byCreation);
  const place = after === undefined ? -1 : ordered.findIndex(({ object }) => object === after);
  if (after !== undefined && place < 0) {
    throw new SottoError(ErrorCode.UNKNOWN_OBJECT, "the object to list after is gone");
  }
  const page = ordered.slice(place + 1, place + 1 + pageMax);
  return { page, more: place + 1 + page.length < ordered.length };
}

function byCreation(a: ObjectRecord, b: ObjectRecord): number {
  return a.createdAtMs - b.createdAtMs || (a.object < b.object ? -1 : 1);
}
