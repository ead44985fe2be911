import { create, toBinary } from "@bufbuild/protobuf";
import {
  AppendedSchema,
  type DeviceId,
  fromHex,
  StoredMessageSchema,
  toHex,
} from "@sotto/protocol";
import type { HostileWorld } from "./hostile-world.ts";
import type { RequestBody, ResponseBody } from "./wire.ts";

/** Stores a commit that its keyserver would refuse, and answers as if it had won. */
export async function storeCommit(
  hostile: HostileWorld,
  body: Extract<RequestBody, { case: "commit" }>,
): Promise<ResponseBody> {
  const sequence = await hostile.write(toHex(body.value.room), "h", body.value.envelope);
  const position = { sequence: BigInt(sequence), incarnation: new Uint8Array(16) };
  return { case: "appended", value: create(AppendedSchema, { position }) };
}

/** Stores a message whatever record it was sealed under, and answers as if all were well. */
export async function storeMessage(
  hostile: HostileWorld,
  body: Extract<RequestBody, { case: "append" }>,
  device: DeviceId,
): Promise<ResponseBody> {
  const { room, id, sealed } = body.value;
  const stored = create(StoredMessageSchema, { device: fromHex(device), id, sealed });
  const sequence = await hostile.write(toHex(room), "m", toBinary(StoredMessageSchema, stored));
  const position = { sequence: BigInt(sequence), incarnation: new Uint8Array(16) };
  return { case: "appended", value: create(AppendedSchema, { position }) };
}
