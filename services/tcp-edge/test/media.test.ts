import { createHash, randomBytes } from "node:crypto";
import {
  ErrorCode,
  encodeCancel,
  encodeCredit,
  encodeFrame,
  FrameFlag,
  FrameType,
  fromHex,
  ObjectKind,
} from "@sotto/protocol";
import { expect, it } from "vitest";
import { EdgeWorld } from "./edge-world.ts";

const object = new Uint8Array(16).fill(9);
const errorOf = (body: { case: string | undefined; value?: unknown }) =>
  body.case === "error" ? (body.value as { code: ErrorCode }).code : body.case;

async function setUp() {
  const world = await EdgeWorld.start();
  const alice = await world.keyserver.newDevice();
  const room = fromHex(await world.keyserver.newRoom(alice));
  const client = await world.online(alice);
  world.media.bytes = randomBytes(1_500_000);
  return { world, client, room, alice };
}

it("a piece is gathered from its frames and handed on whole", async () => {
  const { world, client, room } = await setUp();
  await using _world = world;
  const piece = randomBytes(600_000);
  const value = { room, object, piece: 1, bytes: piece.length };
  const stored = client.request({ case: "putPiece", value }, 5);
  for (let at = 0; at < piece.length; at += 200_000) {
    const flags = at + 200_000 >= piece.length ? FrameFlag.end : 0;
    client.write(encodeFrame(FrameType.media, 5, piece.subarray(at, at + 200_000), flags));
  }
  expect(await stored).toMatchObject({
    case: "pieceStored",
    value: { piecesDurable: 2, complete: true },
  });
  expect(Buffer.compare(world.media.pieces[0]?.data ?? Buffer.alloc(0), piece)).toBe(0);
});

it("somebody else's object takes no piece", async () => {
  const { world, client, room } = await setUp();
  await using _world = world;
  world.media.owner = new Uint8Array(16).fill(1);
  const stored = client.request(
    { case: "putPiece", value: { room, object, piece: 0, bytes: 4 } },
    5,
  );
  client.write(encodeFrame(FrameType.media, 5, new Uint8Array(4), FrameFlag.end));
  expect(errorOf(await stored)).toBe(ErrorCode.FORBIDDEN);
  expect(world.media.pieces).toEqual([]);
});

it("another device of a member reads what is there, and adds nothing but parts", async () => {
  const { world, alice, room } = await setUp();
  await using _world = world;
  using phone = await world.online(await world.keyserver.newDevice(alice.user));
  using stranger = await world.online(await world.keyserver.newDevice());
  const open = { room, object, offset: 0n, length: 100n, credit: 1000 };
  const put = async (stream: number) => {
    const value = { room, object, piece: 0, bytes: 4 };
    const stored = phone.request({ case: "putPiece", value }, stream);
    phone.write(encodeFrame(FrameType.media, stream, new Uint8Array(4), FrameFlag.end));
    return errorOf(await stored);
  };
  expect((await phone.request({ case: "openObject", value: open })).case).toBe("objectOpened");
  expect(await put(50)).toBe(ErrorCode.NOT_A_MEMBER);
  world.media.kind = ObjectKind.PART;
  expect(await put(51)).toBe("pieceStored");
  for (const body of [
    { case: "openObject" as const, value: open },
    { case: "getObject" as const, value: { room, object } },
    { case: "createObject" as const, value: { room, object, kind: ObjectKind.PART } },
  ])
    expect(errorOf(await stranger.request(body))).toBe(ErrorCode.NOT_A_MEMBER);
  const file = { room, object, kind: ObjectKind.FILE, sealedBytes: 1n };
  expect(errorOf(await phone.request({ case: "createObject", value: file }))).toBe(
    ErrorCode.NOT_A_MEMBER,
  );
});

it("an object streams from any offset as far as the credit goes, and ends with a flag", async () => {
  const { world, client, room } = await setUp();
  await using _world = world;
  const [offset, length] = [123_456, 1_000_000];
  const value = { room, object, offset: BigInt(offset), length: BigInt(length), credit: 300_000 };
  const opened = await client.request({ case: "openObject", value }, 5);
  expect(opened).toMatchObject({ case: "objectOpened", value: { sealedBytes: 1_500_000n } });
  const received = () => client.media.reduce((sum, frame) => sum + frame.body.length, 0);
  await client.until(() => received() === 300_000);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(received()).toBe(300_000);
  client.write(encodeCredit(5, 2_000_000));
  await client.until(() => received() === length);
  const whole = Buffer.concat(client.media.map((frame) => frame.body));
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  expect(sha256(whole)).toBe(sha256(world.media.bytes.subarray(offset, offset + length)));
  expect(client.media.map((frame) => frame.flags & FrameFlag.end).filter(Boolean)).toHaveLength(1);
  expect(client.media.at(-1)?.flags).toBe(FrameFlag.end);
});

it("a cancelled download frees the media service's side, and its stream", async () => {
  const { world, client, room } = await setUp();
  await using _world = world;
  const value = { room, object, credit: 1000 };
  await client.request({ case: "openObject", value }, 5);
  await client.until(() => client.media.length > 0);
  expect(world.media.openStreams).toBe(1);
  client.write(encodeCancel(5));
  await client.until(() => world.media.openStreams === 0);
  expect((await client.request({ case: "openObject", value }, 5)).case).toBe("objectOpened");
  client[Symbol.dispose]();
  await client.until(() => world.media.openStreams === 0);
});

it("a failure in the middle comes as a second response", async () => {
  const { world, client, room } = await setUp();
  await using _world = world;
  world.media.failAfterChunks = 2;
  const value = { room, object, credit: 8_000_000 };
  await client.request({ case: "openObject", value }, 5);
  await client.until(() => client.late.length > 0);
  expect(errorOf(client.late[0] ?? { case: undefined })).toBe(ErrorCode.UNAVAILABLE);
});

it("an offset past the end, and a room of others, are refused", async () => {
  const { world, client, room } = await setUp();
  await using _world = world;
  const past = { room, object, offset: 9_000_000n, credit: 1 };
  expect(errorOf(await client.request({ case: "openObject", value: past }))).toBe(
    ErrorCode.BAD_RANGE,
  );
  const other = fromHex(await world.keyserver.newRoom(await world.keyserver.newDevice()));
  const foreign = { room: other, object, credit: 1 };
  expect(errorOf(await client.request({ case: "openObject", value: foreign }))).toBe(
    ErrorCode.NOT_A_MEMBER,
  );
  expect(errorOf(await client.request({ case: "listObjects", value: { room: other } }))).toBe(
    ErrorCode.NOT_A_MEMBER,
  );
});
