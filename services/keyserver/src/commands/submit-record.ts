import { ErrorCode, SottoError } from "@sotto/protocol";
import { announceRecord } from "../announce.ts";
import { parseSubmitted } from "../parse-submitted.ts";
import {
  type Answer,
  type Keyserver,
  type Principal,
  type RequestValue,
  spend,
} from "./command.ts";

/** Appends a record to the caller's own chain. */
export async function submitRecord(
  server: Keyserver,
  request: RequestValue<"submitRecord">,
  caller: Principal,
): Promise<Answer> {
  // Of each device its own: a stolen one must not use up what the others need to revoke it.
  spend(server.budgets.records, caller.device);
  const { record } = parseSubmitted(request.record);
  if (record.typ === "user-create" || record.typ === "identity-reset")
    throw new SottoError(ErrorCode.BAD_RECORD, "an identity begins by Register");
  if (record.user !== caller.user)
    throw new SottoError(ErrorCode.FORBIDDEN, "that is somebody else's chain");
  await server.standing.refuseRecords();
  const { index, fresh } = await server.state.append(request.record, { now: server.clock.now() });
  if (fresh) server.events.recordAccepted(index);
  // Also where the record stood already: what follows from it may not have been done.
  await announceRecord(server, index);
  return { case: "recordStored", value: { index: BigInt(index) } };
}
