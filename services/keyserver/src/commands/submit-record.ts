import { ErrorCode, fromHex, SottoError } from "@sotto/protocol";
import { parseSubmitted } from "../parse-submitted.ts";
import {
  type Answer,
  type Keyserver,
  type Principal,
  type RequestValue,
  spend,
} from "./command.ts";
import { announceDirectory } from "./register.ts";

/** Appends a record to the caller's own chain. */
export async function submitRecord(
  server: Keyserver,
  request: RequestValue<"submitRecord">,
  caller: Principal,
): Promise<Answer> {
  spend(server, caller, "records");
  const { record } = parseSubmitted(request.record);
  if (record.typ === "user-create")
    throw new SottoError(ErrorCode.BAD_RECORD, "an account is made by Register");
  if (record.user !== caller.user)
    throw new SottoError(ErrorCode.FORBIDDEN, "that is somebody else's chain");
  const index = await server.state.append(request.record, { now: server.clock.now() });
  server.events.recordAccepted(index);
  const revoked = record.typ === "device-revoke" ? [fromHex(record.device)] : [];
  if (record.typ === "device-revoke") await server.store.dropKeyPackages(record.device);
  announceDirectory(server, revoked);
  return { case: "recordStored", value: { index: BigInt(index) } };
}
