import {
  checkEnvelope,
  decodeEnvelope,
  openEnvelope,
  provenDisabled,
  removableBy,
} from "@sotto/identity";
import { type Envelope, EnvelopeKind, ErrorCode, SottoError, toSafeNumber } from "@sotto/protocol";
import type { Connection } from "../connection/connection.ts";
import type { HandshakeStep } from "./handshake-step.ts";
import type { RoomContext } from "./room-context.ts";
import type { RoomState } from "./room-state.ts";

/** A handshake record's envelope, and why everybody passes over it where it breaks the rules. */
export type JudgedRecord =
  | { readonly envelope: Envelope; readonly breach: undefined }
  | { readonly envelope: Envelope | undefined; readonly breach: Error };

/** A handshake record's place, and by what it is judged. */
export type RecordPlace = Pick<HandshakeStep, "context" | "state" | "connection" | "sequence">;

/**
 * Judges a handshake record by the room's records before it and by the directory of which it speaks, and by
 * nothing else, so that everybody judges alike. Rejects where the directory cannot be had now.
 */
export async function judgeRecord(
  { context, state, connection, sequence }: RecordPlace,
  data: Uint8Array,
): Promise<JudgedRecord> {
  try {
    const envelope = await readEnvelope(context, connection, data);
    return { envelope, breach: await breachOf(context, state, sequence, envelope) };
  } catch (error) {
    // What else fails may succeed later, and says nothing about the record.
    if (error instanceof SottoError && isAboutRecord(error.code))
      return { envelope: undefined, breach: error };
    throw error;
  }
}

function isAboutRecord(code: ErrorCode): boolean {
  return (
    code === ErrorCode.BAD_ENVELOPE ||
    code === ErrorCode.BAD_SIGNATURE ||
    code === ErrorCode.TOO_LARGE
  );
}

/** The envelope, signed by a device that was good in the directory of which it speaks. Rejects with `SottoError`. */
export async function readEnvelope(
  context: RoomContext,
  connection: Connection,
  data: Uint8Array,
): Promise<Envelope> {
  const { directory, checks } = context;
  if (!checks.envelopeSignature) {
    const envelope = decodeEnvelope(data);
    await directory.sync(connection, toSafeNumber(envelope.directorySize));
    return envelope;
  }
  const { envelope } = await openEnvelope(data, async (committer, directorySize) => {
    await directory.sync(connection, directorySize);
    const device = directory.directory.leafAsOf(committer.device, directorySize);
    const may = device?.user === committer.user && device.revokedAt === undefined;
    return may ? device.keys.sign : undefined;
  });
  return envelope;
}

/** Why the record cannot follow those before it, as far as this device knows the room. */
async function breachOf(
  { checks, profile, directory }: RoomContext,
  { roster }: RoomState,
  sequence: number,
  envelope: Envelope,
): Promise<Error | undefined> {
  const begins = envelope.kind === EnvelopeKind.CREATE;
  if (!checks.envelopeRules || (!roster && !begins)) return undefined;
  if (roster && roster.foldedTo >= sequence) return undefined;
  const disabled = await provenDisabled(envelope, profile.serverKeySha256);
  return await checkEnvelope(roster, envelope, {
    removable: removableBy(envelope, directory.directory, disabled),
  });
}
