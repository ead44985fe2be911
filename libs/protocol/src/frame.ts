/**
 * A frame's fixed header, 10 bytes, big-endian:
 * length of the body u32 | type u8 | flags u8 | stream id u32.
 */
export const frameHeaderBytes = 10;

/** Frame types. A receiver ignores unknown ones, unless their CRITICAL flag is set. */
export const FrameType = {
  /** Edge to client, first of all: `Hello`. */
  hello: 1,
  /** Client to edge: `Request`; the stream id, chosen by the client, is echoed by the response. */
  request: 2,
  response: 3,
  /** Edge to client: `Event`. */
  event: 4,
  /** Edge to client: `Record`. */
  record: 5,
  /** Both ways: raw sealed bytes of a media stream. */
  media: 6,
  /** Client to edge: u32 bytes more that the stream may send. */
  credit: 7,
  /** Both ways: 8 opaque bytes, echoed by a pong. */
  ping: 8,
  pong: 9,
  /** Edge to client, last of all: `Close`. */
  close: 10,
  /** Client to edge: ends a media stream; no body. */
  cancel: 11,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export const FrameFlag = {
  /** The receiver must refuse the connection where it does not know the frame's type. */
  critical: 0x01,
  /** The last frame of its media stream. */
  end: 0x02,
} as const;

export interface Frame {
  /** Not narrowed to `FrameType`: unknown types reach the caller, who ignores or refuses them. */
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly body: Uint8Array;
}
