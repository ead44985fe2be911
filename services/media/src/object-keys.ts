import type { BlobKey } from "@sotto/blobs";
import type { ObjectId, RoomId } from "@sotto/protocol";

/** Names an object. */
export interface ObjectRef {
  readonly room: RoomId;
  readonly object: ObjectId;
}

/** Objects that are listed, and parts of handshake records, which are not. */
export type Shelf = "files" | "parts";

/** A file's id has 16 bytes; a part's has 32, for it is its SHA-256. */
export function shelfOf(object: ObjectId): Shelf {
  return object.length === 32 ? "files" : "parts";
}

/*
 * rooms/<room>/files/<object>           its record; the object exists while this does
 * rooms/<room>/parts/<object>           the same for a part
 * rooms/<room>/complete/<object>        empty, put after the last piece: spares counting pieces
 * rooms/<room>/pieces/<object>/<number> sealed bytes
 * rooms/<room>/idle/<object>/<pieces>-<since ms>  seen unfinished with so many pieces since then
 */
export const keys = {
  rooms: "rooms/",
  record: ({ room, object }: ObjectRef): BlobKey => `rooms/${room}/${shelfOf(object)}/${object}`,
  shelf: (room: RoomId, shelf: Shelf): BlobKey => `rooms/${room}/${shelf}/`,
  completeShelf: (room: RoomId): BlobKey => `rooms/${room}/complete/`,
  complete: ({ room, object }: ObjectRef): BlobKey => `rooms/${room}/complete/${object}`,
  pieces: ({ room, object }: ObjectRef): BlobKey => `rooms/${room}/pieces/${object}/`,
  piece: ({ room, object }: ObjectRef, piece: number): BlobKey =>
    `rooms/${room}/pieces/${object}/${String(piece).padStart(8, "0")}`,
  idleAll: ({ room, object }: ObjectRef): BlobKey => `rooms/${room}/idle/${object}/`,
  idle: ({ room, object }: ObjectRef, pieces: number, sinceMs: number): BlobKey =>
    `rooms/${room}/idle/${object}/${pieces}-${sinceMs}`,
} as const;
