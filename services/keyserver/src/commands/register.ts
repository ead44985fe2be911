import { create, toBinary } from "@bufbuild/protobuf";
import { sha256Hex } from "@sotto/identity";
import { DirectoryHintSchema, subjects } from "@sotto/interservice";
import { ErrorCode, SottoError } from "@sotto/protocol";
import { parseSubmitted } from "../parse-submitted.ts";
import type { Answer, Keyserver, RequestValue } from "./command.ts";

/** Makes an account: one use of an invite for one user-create record, in one step. */
export async function register(
  server: Keyserver,
  request: RequestValue<"register">,
): Promise<Answer> {
  const { record } = parseSubmitted(request.record);
  if (record.typ !== "user-create")
    throw new SottoError(ErrorCode.BAD_RECORD, "an account begins with user-create");
  const known = server.state.directory.user(record.user);
  const hash = await sha256Hex(request.record);
  // The same record again: its answer was lost on the way.
  if (known?.chain[0] === hash) return { case: "registered", value: { index: 0n } };
  const redeemInvite = await sha256Hex(request.serverToken);
  const index = await server.state.append(request.record, {
    redeemInvite,
    now: server.clock.now(),
  });
  server.events.recordAccepted(index);
  announceDirectory(server);
  return { case: "registered", value: { index: BigInt(index) } };
}

/** Tells edges that the directory grew. A hint: they also ask. */
export function announceDirectory(
  server: Keyserver,
  revokedDevices: readonly Uint8Array[] = [],
): void {
  const hint = { size: BigInt(server.state.directory.size), revokedDevices: [...revokedDevices] };
  server.bus.publish(
    subjects.hintDirectory,
    toBinary(DirectoryHintSchema, create(DirectoryHintSchema, hint)),
  );
}
