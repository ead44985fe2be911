import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Bus } from "@sotto/bus";
import { ServiceCallSchema, subjects } from "@sotto/interservice";
import {
  type MediaLink,
  MediaLinkError,
  type OpenRequest,
  type PutPieceRequest,
} from "@sotto/media-link";
import { ObjectKind, ResponseSchema } from "@sotto/protocol";

/** The media service as an edge sees it: one object, whose bytes are in memory. */
export class FakeMedia implements MediaLink {
  bytes: Uint8Array = new Uint8Array();
  pieces: PutPieceRequest[] = [];
  /** Whose the object is; undefined: whoever asks. */
  owner: Uint8Array | undefined;
  kind = ObjectKind.FILE;
  openStreams = 0;
  failAfterChunks = Number.POSITIVE_INFINITY;
  chunkBytes = 100_000;

  async serve(bus: Bus): Promise<void> {
    await bus.serve(
      subjects.mediaCommand,
      async ({ data }) => {
        const { request, caller } = fromBinary(ServiceCallSchema, data);
        const body = request?.body;
        if (body?.case !== "getObject") throw new Error("not asked for");
        const { room, object } = body.value;
        const owner = this.owner ?? caller?.user ?? new Uint8Array();
        const sealedBytes = BigInt(this.bytes.length);
        const value = { room, object, sealedBytes, complete: true, owner, kind: this.kind };
        return toBinary(
          ResponseSchema,
          create(ResponseSchema, { body: { case: "objectInfo", value } }),
        );
      },
      { queue: "media" },
    );
  }

  async *open(request: OpenRequest, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    this.openStreams += 1;
    try {
      const end = request.offset + request.length;
      let chunks = 0;
      for (let at = request.offset; at < end && !signal.aborted; at += this.chunkBytes) {
        if (chunks++ >= this.failAfterChunks) throw new MediaLinkError("UNAVAILABLE", "gone");
        yield this.bytes.subarray(at, Math.min(end, at + this.chunkBytes));
      }
    } finally {
      this.openStreams -= 1;
    }
  }

  async putPiece(request: PutPieceRequest): Promise<{ piecesDurable: number }> {
    this.pieces.push({ ...request, data: request.data.slice() });
    return { piecesDurable: request.piece + 1 };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
