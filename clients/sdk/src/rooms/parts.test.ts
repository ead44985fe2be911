import { create } from "@bufbuild/protobuf";
import { systemClock } from "@sotto/clock";
import { PartSchema, parseRoomId } from "@sotto/protocol";
import { expect, test } from "vitest";
import { sha256 } from "../bytes.ts";
import { allChecks } from "../checks.ts";
import type { Connection } from "../connection/connection.ts";
import { Parts } from "./parts.ts";

const room = parseRoomId("0123456789abcdef0123456789abcdef");
const given = new Uint8Array([1, 2, 4]);

/** A server that gives these bytes for every object. */
const server = {
  download: async () => ({
    response: {},
    bytes: (async function* () {
      yield given;
    })(),
  }),
} as unknown as Connection;

const partOf = async (bytes: Uint8Array) =>
  create(PartSchema, { sha256: await sha256(bytes), bytes: bytes.length });

test("a part that is not the one that its hash names is refused", async () => {
  const parts = new Parts(systemClock, allChecks);
  expect(await parts.fetch(server, room, await partOf(given))).toEqual(given);
  const other = await partOf(new Uint8Array([1, 2, 3]));
  await expect(parts.fetch(server, room, other)).rejects.toMatchObject({ code: "ALTERED" });
  // The control: what is refused would be believed.
  const credulous = new Parts(systemClock, { ...allChecks, partHash: false });
  expect(await credulous.fetch(server, room, other)).toEqual(given);
});
