/** A record as every recipient gets it: encoded once, shared by all, changed by nobody. */
export interface RoomRecord {
  readonly sequence: number;
  /** A whole RECORD frame. */
  readonly frame: Uint8Array;
}
