import type { ServiceCall } from "@sotto/interservice";
import { ErrorCode, parseDeviceId, parseUserId, SottoError } from "@sotto/protocol";
import { getCheckpoint, getConsistencyProof, getInclusionProof } from "./commands/checkpoints.ts";
import type { Answer, Keyserver, Principal } from "./commands/command.ts";
import { commit } from "./commands/commit.ts";
import { createInvite } from "./commands/create-invite.ts";
import { handBackRecords } from "./commands/hand-back.ts";
import { claimKeyPackages, publishKeyPackages } from "./commands/key-packages.ts";
import { getLink, openLink, putLink } from "./commands/link.ts";
import { listGrants } from "./commands/list-grants.ts";
import { readDirectory, readKnownRecords } from "./commands/read-directory.ts";
import { register } from "./commands/register.ts";
import { getHandshake, getRoster, listRooms } from "./commands/rooms.ts";
import { submitRecord } from "./commands/submit-record.ts";

/** Answers a request of a client that an edge handed on. Rejects with `SottoError`, or as log and store do. */
export async function answerClient(server: Keyserver, call: ServiceCall): Promise<Answer> {
  const body = call.request?.body;
  if (!body?.case)
    throw new SottoError(ErrorCode.UNKNOWN_REQUEST, "that request is not known here");
  server.events.command(body.case);
  // What a stranger may ask.
  if (body.case === "register") return await register(server, body.value);
  if (body.case === "putLink") return await putLink(server, body.value);
  if (body.case === "getLink") return await getLink(server, body.value);
  if (body.case === "handBackRecords") return await handBackRecords(server, body.value);
  if (body.case === "readDirectory" && isStranger(call) && body.value.note.length > 0)
    return await readKnownRecords(server, body.value);
  const caller = await principalOf(server, call);
  switch (body.case) {
    case "readDirectory":
      return await readDirectory(server, body.value);
    case "getCheckpoint":
      return await getCheckpoint(server);
    case "getInclusionProof":
      return await getInclusionProof(server, body.value);
    case "getConsistencyProof":
      return await getConsistencyProof(server, body.value);
    case "submitRecord":
      return await submitRecord(server, body.value, caller);
    case "createInvite":
      return await createInvite(server, body.value, caller);
    case "listGrants":
      return await listGrants(server, body.value, caller);
    case "publishKeyPackages":
      return await publishKeyPackages(server, body.value, caller);
    case "claimKeyPackages":
      return await claimKeyPackages(server, body.value, caller);
    case "openLink":
      return await openLink(server, body.value, caller);
    case "listRooms":
      return await listRooms(server, caller);
    case "getRoster":
      return await getRoster(server, body.value, caller);
    case "getHandshake":
      return await getHandshake(server, body.value, caller);
    case "listDisabled":
      return { case: "disabledList", value: { disabled: await server.disabled.signed() } };
    case "commit":
      return await commit(server, body.value, caller);
    default:
      throw new SottoError(ErrorCode.UNKNOWN_REQUEST, "that request is not the keyserver's");
  }
}

function isStranger({ caller }: ServiceCall): boolean {
  return !caller || caller.device.length === 0;
}

/**
 * Who calls, by all that stands in the store now: the edge has authenticated the device, and may not have heard yet
 * that it was revoked, on whichever replica.
 */
async function principalOf(server: Keyserver, call: ServiceCall): Promise<Principal> {
  const { caller } = call;
  if (!caller || isStranger(call))
    throw new SottoError(ErrorCode.NOT_AUTHENTICATED, "log in first");
  const principal = { user: parseUserId(caller.user), device: parseDeviceId(caller.device) };
  await server.state.catchUp();
  const device = server.state.directory.device(principal.device);
  if (device?.user !== principal.user)
    throw new SottoError(ErrorCode.UNKNOWN_DEVICE, "the directory does not hold that device");
  if (device.revokedAt !== undefined)
    throw new SottoError(ErrorCode.DEVICE_REVOKED, "that device is revoked");
  await server.disabled.refuse(principal.user);
  return principal;
}
