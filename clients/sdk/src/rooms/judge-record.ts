import {
  checkEnvelope,
  checkEnvelopeForm,
  decodeEnvelope,
  openEnvelope,
  provenDisabled,
  removableBy,
} from "@sotto/identity";
import { type Envelope, EnvelopeKind, ErrorCode, SottoError, toSafeNumber } from "@sotto/protocol";
import type { Connection } from "../connection/connection.ts";
import type { LeafName } from "./envelopes.ts";
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
  const { envelope, committer } = await openEnvelope(data, (committer, directorySize) =>
    signKeyOf(context, connection, committer, directorySize),
  );
  const size = toSafeNumber(envelope.directorySize);
  const signer = () => directory.directory.leafAsOf(committer.device, size);
  // Who was revoked does not say how large the directory is, either.
  if (signer()?.revokedAt === undefined) await directory.sync(connection, size);
  const device = signer();
  if (!device || device.revokedAt !== undefined)
    throw new SottoError(ErrorCode.BAD_SIGNATURE, "the envelope's committer signs nothing");
  return envelope;
}

/**
 * The key by which a device signs, which never changes. A size that nobody may have signed is not waited for: who is
 * unknown is looked up once in what the server has and signs. Rejects where the server itself says that it lacks records.
 */
async function signKeyOf(
  { directory }: RoomContext,
  connection: Connection,
  { user, device: id }: LeafName,
  directorySize: number,
): Promise<Uint8Array | undefined> {
  const known = () => {
    const device = directory.directory.device(id);
    return device?.kind === "device" && device.user === user ? device.keys.sign : undefined;
  };
  if (known() || directory.size >= directorySize) return known();
  await directory.sync(connection);
  const { standing } = directory.trust;
  if (!known() && (standing === "behind" || standing === "withheld"))
    await directory.sync(connection, directorySize);
  return known();
}

/** Why the record cannot follow those before it, as far as this device knows the room. */
async function breachOf(
  { checks, profile, directory }: RoomContext,
  { room, roster }: RoomState,
  sequence: number,
  envelope: Envelope,
): Promise<Error | undefined> {
  if (!checks.envelopeRules) return undefined;
  const malformed = checkEnvelopeForm(room, envelope);
  const begins = envelope.kind === EnvelopeKind.CREATE;
  if (malformed || (!roster && !begins)) return malformed;
  if (roster && roster.foldedTo >= sequence) return undefined;
  const disabled = await provenDisabled(envelope, profile.serverKeySha256);
  return await checkEnvelope(roster, envelope, {
    removable: removableBy(envelope, directory.directory, disabled),
  });
}
