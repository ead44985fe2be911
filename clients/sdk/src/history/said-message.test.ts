import { create, toBinary } from "@bufbuild/protobuf";
import { fromHex, parseDeviceId, parseMessageId, parseRoomId, parseUserId } from "@sotto/protocol";
import { ContentSchema } from "@sotto/protocol/content";
import { expect, test } from "vitest";
import { entryOf } from "./said-message.ts";

function titled(title: string) {
  const room = parseRoomId("aa".repeat(16));
  const id = parseMessageId("03".repeat(16));
  const content = create(ContentSchema, {
    version: 1,
    id: fromHex(id),
    room: fromHex(room),
    body: { case: "title", value: { $typeName: "sotto.v1.RoomTitle", title } },
  });
  return entryOf({
    room,
    sequence: 7,
    sender: parseUserId("01".repeat(16)),
    device: parseDeviceId("02".repeat(16)),
    id,
    content,
    encoded: toBinary(ContentSchema, content),
  });
}

test("a title that no client may give is ignored, however it comes", () => {
  expect(titled("plans")).toMatchObject({ type: "title", title: "plans" });
  expect(titled(" e\u0301 ")).toMatchObject({ title: "é" });
  for (const title of ["", "  ", "a\u001b[2J", "a\nb", "\u202eplans", "x".repeat(65)])
    expect(titled(title), JSON.stringify(title)).toBeUndefined();
});
