import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type DeviceId,
  type Envelope,
  EnvelopeSchema,
  ErrorCode,
  envelopeInput,
  limits,
  parseDeviceId,
  parseUserId,
  SignedEnvelopeSchema,
  SottoError,
  toSafeNumber,
  type UserId,
} from "@sotto/protocol";
import { type Signer, verifyEd25519 } from "./ed25519.ts";
import { readExact } from "./exact-message.ts";

/** A device in an envelope. */
export interface LeafName {
  readonly user: UserId;
  readonly device: DeviceId;
}

/** Signs an encoded `Envelope`. The result is what the log keeps, byte for byte. */
export async function signEnvelope(
  envelope: Uint8Array,
  signer: Signer,
): Promise<Uint8Array<ArrayBuffer>> {
  const signature = await signer.sign(envelopeInput(envelope));
  return toBinary(SignedEnvelopeSchema, create(SignedEnvelopeSchema, { envelope, signature }));
}

/** The envelope in a handshake record, its signature not looked at. Throws `SottoError` BAD_ENVELOPE, TOO_LARGE. */
export function decodeEnvelope(data: Uint8Array): Envelope {
  return decodeSigned(data).envelope;
}

/**
 * The envelope in a handshake record, with its signature verified by the committer's signing key, which
 * `keyOf` finds. The directory size that it is given nobody may have signed. Throws `SottoError` BAD_ENVELOPE,
 * BAD_SIGNATURE.
 */
export async function openEnvelope(
  data: Uint8Array,
  keyOf: (committer: LeafName, directorySize: number) => Promise<Uint8Array | undefined>,
): Promise<{ readonly envelope: Envelope; readonly committer: LeafName }> {
  const { envelope, bytes, signature } = decodeSigned(data);
  const committer = committerOf(envelope);
  const key = await keyOf(committer, sizeOf(envelope));
  if (!key || !(await verifyEd25519(key, envelopeInput(bytes), signature))) {
    throw new SottoError(ErrorCode.BAD_SIGNATURE, "the envelope is not signed by its committer");
  }
  return { envelope, committer };
}

/** Who made the envelope. Throws `SottoError` BAD_ENVELOPE. */
export function committerOf(envelope: Envelope): LeafName {
  const { committer } = envelope;
  if (!committer) throw bad("it names no committer");
  try {
    return { user: parseUserId(committer.user), device: parseDeviceId(committer.device) };
  } catch (cause) {
    throw bad("its committer is malformed", cause);
  }
}

function sizeOf(envelope: Envelope): number {
  try {
    return toSafeNumber(envelope.directorySize);
  } catch (cause) {
    throw bad("its directory size is malformed", cause);
  }
}

function decodeSigned(data: Uint8Array): {
  envelope: Envelope;
  bytes: Uint8Array;
  signature: Uint8Array;
} {
  if (data.length > limits.envelopeBytesMax) {
    throw new SottoError(
      ErrorCode.TOO_LARGE,
      `an envelope has at most ${limits.envelopeBytesMax} bytes`,
    );
  }
  try {
    const signed = readExact(SignedEnvelopeSchema, data);
    const envelope = fromBinary(EnvelopeSchema, signed.envelope);
    return { envelope, bytes: signed.envelope, signature: signed.signature };
  } catch (cause) {
    throw bad("it cannot be read", cause);
  }
}

/** An envelope that is refused, and why. */
export function bad(why: string, cause?: unknown): SottoError {
  return new SottoError(ErrorCode.BAD_ENVELOPE, `not an acceptable envelope: ${why}`, { cause });
}
