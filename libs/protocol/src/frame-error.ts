import type { Frame } from "./frame.ts";
import { CloseCode } from "./gen/sotto/v1/client_pb.js";

/**
 * Why bytes were refused. FRAME_TOO_LARGE: the announced length is over the limit. DEAD: the decoder
 * had erred before, and nobody knows where in the bytes a frame begins.
 */
export type FrameErrorCode = "FRAME_TOO_LARGE" | "DEAD";

/** Bytes that cannot be accepted. The decoder that threw it is dead; close the connection. */
export class FrameError extends Error {
  override readonly name = "FrameError";
  readonly code: FrameErrorCode;
  /** What the connection is to be closed with. */
  readonly closeCode: CloseCode;
  /**
   * Frames of the same chunk that were complete before the refused one, in order: what a peer said
   * before it broke the rules does not depend on how its bytes were split.
   */
  readonly frames: readonly Frame[];

  constructor(code: FrameErrorCode, message: string, frames: readonly Frame[] = []) {
    super(message);
    this.code = code;
    this.closeCode =
      code === "FRAME_TOO_LARGE" ? CloseCode.FRAME_TOO_LARGE : CloseCode.PROTOCOL_ERROR;
    this.frames = frames;
  }
}
