import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { fromHex, ObjectKind, parseObjectId } from "@sotto/protocol";
import { ContentSchema } from "@sotto/protocol/content";
import { logIn, owner } from "../../bench/load/account.ts";
import { append, makeRoom } from "../../bench/load/rooms.ts";
import type { DemoServer } from "../../infra/demo/server.ts";

export interface Words {
  readonly text: string;
  readonly title: string;
  readonly fileName: string;
  readonly file: Buffer;
}

/** A client whose sealing is the identity: says everything as it is. The control of the search. */
export async function sayUnsealed(server: DemoServer, words: Words): Promise<() => void> {
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(server.address) ?? [];
  const target = { host, port: Number(port) };
  const account = await owner(target, server.ownerInvite ?? "");
  const connection = await logIn(target, account);
  const room = await makeRoom(connection, [account], 1);
  const object = fromHex(parseObjectId(crypto.getRandomValues(new Uint8Array(16))));
  type Body = NonNullable<MessageInitShape<typeof ContentSchema>["body"]>;
  const bodies: Body[] = [
    { case: "text", value: { text: words.text } },
    { case: "title", value: { title: words.title } },
    { case: "media", value: { object, name: words.fileName } },
  ];
  for (const body of bodies)
    await append(connection, room, toBinary(ContentSchema, create(ContentSchema, { body })));
  const sealedBytes = BigInt(words.file.length);
  await connection.request(
    {
      case: "createObject",
      value: { room: room.room, object, kind: ObjectKind.FILE, sealedBytes },
    },
    "objectInfo",
  );
  const value = { room: room.room, object, piece: 0, bytes: words.file.length };
  await connection.upload({ case: "putPiece", value }, words.file, "pieceStored");
  const { bytes } = await connection.download(
    (credit) => ({
      case: "openObject",
      value: { room: room.room, object, offset: 0n, length: 0n, credit },
    }),
    "objectOpened",
  );
  for await (const _ of bytes);
  return () => connection.close();
}
