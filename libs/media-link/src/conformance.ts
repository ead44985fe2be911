import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type MediaHandler, type MediaLink, MediaLinkError } from "./media-link.ts";

const room = "0123456789abcdef0123456789abcdef";
const object = "fedcba9876543210fedcba9876543210";
const chunkBytes = 256 * 1024;

/** Byte `i` of the endless test object. */
const byteAt = (i: number) => (i * 7 + Math.floor(i / 251)) & 0xff;

function piece(offset: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => byteAt(offset + i));
}

/** A handler whose doings a test can see and steer. */
class Handler implements MediaHandler {
  produced = 0;
  open_ = 0;
  readonly pieces: { piece: number; data: Uint8Array }[] = [];
  failAfterBytes = Number.POSITIVE_INFINITY;
  refusal: MediaLinkError | undefined;

  async *open(
    { offset, length }: { offset: number; length: number },
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    if (this.refusal) throw this.refusal;
    this.open_++;
    try {
      for (let at = 0; at < length && !signal.aborted; at += chunkBytes) {
        if (at >= this.failAfterBytes) throw new Error("the disk failed");
        const bytes = piece(offset + at, Math.min(chunkBytes, length - at));
        this.produced += bytes.length;
        yield bytes;
      }
    } finally {
      this.open_--;
    }
  }

  async putPiece({
    piece: number,
    data,
  }: {
    piece: number;
    data: Uint8Array;
  }): Promise<{ piecesDurable: number }> {
    if (this.refusal) throw this.refusal;
    if (number > this.pieces.length)
      throw new MediaLinkError("OUT_OF_ORDER", `piece ${this.pieces.length} is next`);
    this.pieces.push({ piece: number, data: data.slice() });
    return { piecesDurable: this.pieces.length };
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 600 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(holds()).toBe(true);
}

export interface MediaLinkUnderTest extends AsyncDisposable {
  readonly link: MediaLink;
  /** Ends the media service's side. */
  stopServer(): Promise<void>;
}

/** The law of the `MediaLink` port. `bufferBytesMax`: what may be under way beyond what the consumer took. */
export function describeMediaLink(
  name: string,
  open: (handler: MediaHandler) => Promise<MediaLinkUnderTest>,
  bufferBytesMax: number,
): void {
  describe(`media link: ${name}`, () => {
    let opened: MediaLinkUnderTest;
    let handler: Handler;
    beforeEach(async () => {
      handler = new Handler();
      opened = await open(handler);
    });
    afterEach(() => opened[Symbol.asyncDispose]());
    const signal = () => new AbortController().signal;

    async function read(offset: number, length: number): Promise<Buffer> {
      const parts: Uint8Array[] = [];
      for await (const part of opened.link.open({ room, object, offset, length }, signal()))
        parts.push(part);
      return Buffer.concat(parts);
    }

    test("bytes come in order from any offset", async () => {
      for (const [offset, length] of [
        [0, 1],
        [0, chunkBytes * 3 + 5],
        [12_345, 700_000],
        [5, 0],
      ] as const) {
        expect(
          (await read(offset, length)).equals(piece(offset, length)),
          `${offset}+${length}`,
        ).toBe(true);
      }
    });

    test("streams at the same time do not mix", async () => {
      const offsets = [0, 1_000_000, 2_000_000, 3_000_000];
      const streams = await Promise.all(offsets.map((offset) => read(offset, 600_000)));
      for (const [i, offset] of offsets.entries())
        expect(streams[i]?.equals(piece(offset, 600_000))).toBe(true);
    });

    test("a consumer that takes nothing stops the producer, and gets all of it when it goes on", async () => {
      const length = bufferBytesMax + 64 * 1024 * 1024;
      const stream = opened.link
        .open({ room, object, offset: 0, length }, signal())
        [Symbol.asyncIterator]();
      await stream.next();
      await new Promise((resolve) => setTimeout(resolve, 300));
      const paused = handler.produced;
      expect(paused).toBeLessThan(bufferBytesMax + 4 * 1024 * 1024);
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(handler.produced).toBe(paused);
      await stream.next();
      await stream.return?.();
    });

    test("leaving the stream, or aborting it, frees the producer", async () => {
      for await (const _ of opened.link.open({ room, object, offset: 0, length: 1e9 }, signal()))
        break;
      await until(() => handler.open_ === 0);
      const stop = new AbortController();
      const aborted = (async () => {
        for await (const _ of opened.link.open(
          { room, object, offset: 0, length: 1e9 },
          stop.signal,
        ))
          stop.abort(new Error("enough"));
      })();
      await expect(aborted).rejects.toThrow("enough");
      await until(() => handler.open_ === 0);
      expect(handler.produced).toBeLessThan(5e8);
    });

    test("refusals carry their code", async () => {
      for (const code of ["NOT_FOUND", "BAD_RANGE", "INCOMPLETE", "BUSY", "UNAVAILABLE"] as const) {
        handler.refusal = new MediaLinkError(code, "no");
        await expect(read(0, 10)).rejects.toMatchObject({ name: "MediaLinkError", code });
      }
      for (const code of ["CONFLICT", "TOO_LARGE", "FULL", "OUT_OF_ORDER"] as const) {
        handler.refusal = new MediaLinkError(code, "no");
        const put = opened.link.putPiece({ room, object, piece: 0, data: piece(0, 10) }, signal());
        await expect(put).rejects.toMatchObject({ name: "MediaLinkError", code });
      }
    });

    test("a producer that dies in the middle gives an error, never a short success", async () => {
      handler.failAfterBytes = chunkBytes * 2;
      await expect(read(0, chunkBytes * 8)).rejects.toThrow();
    });

    test("a piece arrives whole, and the answer counts the durable ones", async () => {
      for (const number of [0, 1, 2]) {
        const data = piece(number, 1024 * 1024 - number);
        const answer = await opened.link.putPiece({ room, object, piece: number, data }, signal());
        expect(answer).toEqual({ piecesDurable: number + 1 });
        expect(Buffer.compare(handler.pieces[number]?.data ?? new Uint8Array(), data)).toBe(0);
      }
      await expect(
        opened.link.putPiece({ room, object, piece: 9, data: piece(0, 1) }, signal()),
      ).rejects.toMatchObject({ code: "OUT_OF_ORDER" });
    });

    test("a service that ends says UNAVAILABLE, to streams under way and to calls that come later", async () => {
      const stream = (async () => {
        for await (const _ of opened.link.open(
          { room, object, offset: 0, length: 1e9 },
          signal(),
        )) {
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      })();
      stream.catch(() => {});
      await until(() => handler.open_ === 1);
      await opened.stopServer();
      await expect(stream).rejects.toMatchObject({ code: "UNAVAILABLE" });
      await expect(read(0, 10)).rejects.toMatchObject({ code: "UNAVAILABLE" });
      await expect(
        opened.link.putPiece({ room, object, piece: 0, data: piece(0, 1) }, signal()),
      ).rejects.toMatchObject({ code: "UNAVAILABLE" });
    });
  });
}
