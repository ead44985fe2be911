import { expect, test } from "vitest";
import { mediaWorld, pieceBytes, sealed } from "../test/media-world.ts";

test("any range comes back byte for byte, over the borders of pieces, in bounded chunks", async () => {
  const { create, upload, read, open } = await mediaWorld();
  const data = sealed(5 * pieceBytes + 77);
  await create(data.length);
  await upload(data);
  const ranges = [
    [0, 1],
    [0, data.length],
    [pieceBytes - 1, 2],
    [pieceBytes, pieceBytes],
  ];
  for (let i = 1; i <= 10; i++)
    ranges.push([(i * 7919) % data.length, 1 + ((i * 104_729) % data.length)]);
  for (const [offset = 0, length = 0] of ranges) {
    expect(await read(offset, length)).toEqual(data.subarray(offset, offset + length));
  }
  for await (const chunk of open(3, data.length)) expect(chunk.length).toBeLessThanOrEqual(256);
});

test.each([
  [-1, 1],
  [0, 0],
  [0.5, 1],
  [2048, 1],
  [0, Number.NaN],
])("the range from %d of length %d is refused", async (offset, length) => {
  const { create, upload, read } = await mediaWorld();
  await create(2048);
  await upload(sealed(2048));
  await expect(read(offset, length)).rejects.toMatchObject({ code: "BAD_RANGE" });
});

test("what is durable of an unfinished object can be read, then it is told incomplete", async () => {
  const { create, upload, open, read } = await mediaWorld();
  const data = sealed(3 * pieceBytes);
  await create(data.length);
  await upload(data, 2);
  expect(await read(100, 2 * pieceBytes - 100)).toEqual(data.subarray(100, 2 * pieceBytes));
  const chunks: Uint8Array[] = [];
  const reading = async () => {
    for await (const chunk of open(pieceBytes, 2 * pieceBytes)) chunks.push(chunk);
  };
  await expect(reading()).rejects.toMatchObject({ code: "INCOMPLETE" });
  expect(new Uint8Array(Buffer.concat(chunks))).toEqual(data.subarray(pieceBytes, 2 * pieceBytes));
  await expect(read(2 * pieceBytes, 1)).rejects.toMatchObject({ code: "INCOMPLETE" });
});

test("a consumer that stops asking stops the reading, and aborting ends it early", async () => {
  const { blobs, create, upload, open } = await mediaWorld();
  const data = sealed(8 * pieceBytes);
  await create(data.length);
  await upload(data);
  let reads = 0;
  const readBlob = blobs.read.bind(blobs);
  blobs.read = (key, range) => {
    if (key.includes("/pieces/")) reads++;
    return readBlob(key, range);
  };
  const abort = new AbortController();
  const stream = open(0, data.length, abort.signal)[Symbol.asyncIterator]();
  for (let chunk = 0; chunk < 5; chunk++) await stream.next();
  expect(reads).toBe(2);
  abort.abort();
  expect((await stream.next()).done).toBe(true);
  expect(reads).toBe(2);
});

test("streams beyond the bound are refused, and leaving one makes room", async () => {
  const { create, upload, open } = await mediaWorld({ streamsMax: 1 });
  await create(2 * pieceBytes);
  await upload(sealed(2 * pieceBytes));
  const first = open(0, 2000)[Symbol.asyncIterator]();
  await first.next();
  const second = open(0, 2000)[Symbol.asyncIterator]();
  await expect(second.next()).rejects.toMatchObject({ code: "BUSY" });
  await first.return?.();
  expect((await open(0, 10)[Symbol.asyncIterator]().next()).done).toBe(false);
});

test("closing refuses new work and ends streams", async () => {
  const { media, create, upload, open, put } = await mediaWorld();
  await create(2 * pieceBytes);
  await upload(sealed(2 * pieceBytes), 1);
  const stream = open(0, pieceBytes)[Symbol.asyncIterator]();
  await stream.next();
  await media[Symbol.asyncDispose]();
  expect(media.ready()).toBe(false);
  await expect(stream.next()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(put(1, sealed(pieceBytes))).rejects.toMatchObject({ code: "UNAVAILABLE" });
});
