import { create } from "@bufbuild/protobuf";
import { AppendedSchema, toHex } from "@sotto/protocol";
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
