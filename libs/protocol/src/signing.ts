/**
 * The byte strings that keys of this protocol sign. Each begins with `sotto-<purpose>-v1` and a zero
 * byte, so that a signature made for one purpose is never good for another.
 */
const encoder = new TextEncoder();

function signed(purpose: string, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const prefix = encoder.encode(`sotto-${purpose}-v1\0`);
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, prefix.length));
  whole.set(prefix);
  let at = prefix.length;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function sized(what: string, bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length)
    throw new RangeError(`${what} has ${bytes.length} bytes, not ${length}`);
  return bytes;
}

function u64(what: string, value: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${what} is ${value}`);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

/** What a login is about: both ends, both nonces and the channel. */
export interface AuthInput {
  /** The server identity key. */
  readonly serverKey: Uint8Array;
  readonly serverNonce: Uint8Array;
  readonly clientNonce: Uint8Array;
  readonly device: Uint8Array;
  /** From `tlsBinding` or `webSocketBinding`. */
  readonly binding: Uint8Array;
}

/** What a device's login key signs. Throws `RangeError` where a part has another length. */
export function authInput(input: AuthInput): Uint8Array<ArrayBuffer> {
  return signed(
    "auth",
    sized("serverKey", input.serverKey, 32),
    sized("serverNonce", input.serverNonce, 32),
    sized("clientNonce", input.clientNonce, 32),
    sized("device", input.device, 16),
    input.binding,
  );
}

/** Binds a login to its TLS channel by 32 bytes of exported keying material (RFC 9266). */
export function tlsBinding(exporter: Uint8Array): Uint8Array<ArrayBuffer> {
  const binding = new Uint8Array(33);
  binding[0] = 1;
  binding.set(sized("exporter", exporter, 32), 1);
  return binding;
}

const originBytesMax = 0xffff;

/**
 * Binds a login over WebSocket to the page's origin (RFC 6454 section 6.2): browsers show no more of
 * the channel. Throws `RangeError` where the origin is longer than its length can say.
 */
export function webSocketBinding(origin: string): Uint8Array<ArrayBuffer> {
  const text = encoder.encode(origin);
  if (text.length > originBytesMax) throw new RangeError(`origin has ${text.length} bytes`);
  const binding = new Uint8Array(3 + text.length);
  binding[0] = 2;
  new DataView(binding.buffer).setUint16(1, text.length);
  binding.set(text, 3);
  return binding;
}

/** A certificate's public key, and how long the server identity key vouches for it. */
export interface CertificateInput {
  /** Of the SubjectPublicKeyInfo, DER. */
  readonly spkiSha256: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** What the server identity key signs to vouch for a certificate's public key. */
export function certificateInput(input: CertificateInput): Uint8Array<ArrayBuffer> {
  return signed(
    "cert",
    sized("spkiSha256", input.spkiSha256, 32),
    u64("notBeforeMs", input.notBeforeMs),
    u64("notAfterMs", input.notAfterMs),
  );
}

/** What the committer's signing key signs: the envelope's exact bytes. */
export function envelopeInput(envelope: Uint8Array): Uint8Array<ArrayBuffer> {
  return signed("envelope", envelope);
}

/** What the inviter's signing key signs: the grant's exact bytes. */
export function grantInput(grant: Uint8Array): Uint8Array<ArrayBuffer> {
  return signed("grant", grant);
}

/** Who arrives with an invite, and with which keys. */
export interface ArrivalInput {
  readonly user: Uint8Array;
  readonly device: Uint8Array;
  /** The device's signing key. */
  readonly sign: Uint8Array;
  /** The device's MLS leaf key. */
  readonly mls: Uint8Array;
}

/** What the key of an invite signs for a newcomer. */
export function arrivalInput(input: ArrivalInput): Uint8Array<ArrayBuffer> {
  return signed(
    "arrival",
    sized("user", input.user, 16),
    sized("device", input.device, 16),
    sized("sign", input.sign, 32),
    sized("mls", input.mls, 32),
  );
}

/** An account that the operator disabled. */
export interface DisablementInput {
  readonly user: Uint8Array;
  /** Wall time of the server. */
  readonly sinceMs: number;
}

/** What the server identity key signs when the operator disables an account. */
export function disablementInput(input: DisablementInput): Uint8Array<ArrayBuffer> {
  return signed("disabled", sized("user", input.user, 16), u64("sinceMs", input.sinceMs));
}

/** What a new device signs to accept the record that adds it: the payload's SHA-256. */
export function deviceCounterInput(payloadSha256: Uint8Array): Uint8Array<ArrayBuffer> {
  return signed("device", sized("payloadSha256", payloadSha256, 32));
}

/** What the server identity key signs to vouch for the key of the directory's checkpoints. */
export function logKeyInput(logKey: Uint8Array): Uint8Array<ArrayBuffer> {
  return signed("log-key", sized("logKey", logKey, 32));
}

/** Whose identity may begin anew, by which invite, after which record, until when. */
export interface ResetInput {
  readonly user: Uint8Array;
  /** The invite's Ed25519 public key. */
  readonly inviteKey: Uint8Array;
  /** SHA-256 of the user's last record. */
  readonly prev: Uint8Array;
  /** Wall time; 0 never. */
  readonly expiresMs: number;
}

/** What the owner's signing key signs to allow a user's identity to begin anew. */
export function resetInput(input: ResetInput): Uint8Array<ArrayBuffer> {
  return signed(
    "reset",
    sized("user", input.user, 16),
    sized("inviteKey", input.inviteKey, 32),
    sized("prev", input.prev, 32),
    u64("expiresMs", input.expiresMs),
  );
}

/** What a device's signing key signs of an archive record: its exact bytes. */
export function archiveInput(record: Uint8Array): Uint8Array<ArrayBuffer> {
  return signed("archive", record);
}
