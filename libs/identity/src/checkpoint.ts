import { limits, logKeyInput, toHex } from "@sotto/protocol";
import { sha256 } from "./digest.ts";
import type { DirectoryHead } from "./directory.ts";
import { type Signer, verifyEd25519 } from "./ed25519.ts";

/** A head of the directory, with the signature by which its server vouches for it. */
export interface Checkpoint extends DirectoryHead {
  /** Ed25519 by the log key over `checkpointText`, 64 bytes. */
  readonly signature: Uint8Array;
}

const encoder = new TextEncoder();
const signatureLine = /^\u2014 (\S+) ([A-Za-z0-9+/]+={0,2})$/;
/** Signatures of a note, those of others included, that a reader looks at (C2SP signed-note). */
const signaturesMax = 16;
/** Type of an Ed25519 key in its key id. */
const ed25519Type = 1;

/** The name under which a server's directory signs: `sotto/` and the SHA-256 of its identity key, hex. */
export function checkpointOrigin(serverKeySha256: Uint8Array): string {
  return `sotto/${toHex(serverKeySha256)}`;
}

/** What a checkpoint's signature is over (C2SP tlog-checkpoint): origin, size and root, a line each. */
export function checkpointText(origin: string, { size, root }: DirectoryHead): string {
  if (!Number.isSafeInteger(size) || size < 0) throw new RangeError(`no tree has ${size} leaves`);
  if (root.length !== 32) throw new RangeError(`a root has 32 bytes, not ${root.length}`);
  return `${origin}\n${size}\n${toBase64(root)}\n`;
}

/** First four bytes of SHA-256(name || newline || 0x01 || key): which key a signature line is by (C2SP signed-note). */
export async function noteKeyId(name: string, publicKey: Uint8Array): Promise<Uint8Array> {
  const input = [...encoder.encode(`${name}\n`), ed25519Type, ...publicKey];
  return (await sha256(Uint8Array.from(input))).subarray(0, 4);
}

/** Signs a head. The caller must have its records durable first. */
export async function signCheckpoint(
  { size, root }: DirectoryHead,
  origin: string,
  logKey: Signer,
): Promise<Checkpoint> {
  const text = checkpointText(origin, { size, root });
  return { size, root, signature: await logKey.sign(encoder.encode(text)) };
}

/** The checkpoint as a signed note (C2SP signed-note). */
export async function checkpointNote(
  checkpoint: Checkpoint,
  origin: string,
  logKey: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const id = await noteKeyId(origin, logKey);
  const signature = toBase64(Uint8Array.from([...id, ...checkpoint.signature]));
  return encoder.encode(`${checkpointText(origin, checkpoint)}\n\u2014 ${origin} ${signature}\n`);
}

/** True where the log key has signed this head. Never rejects. */
export async function verifyCheckpoint(
  { size, root, signature }: Checkpoint,
  origin: string,
  logKey: Uint8Array,
): Promise<boolean> {
  if (!Number.isSafeInteger(size) || size < 0 || root.length !== 32) return false;
  const text = encoder.encode(checkpointText(origin, { size, root }));
  return await verifyEd25519(logKey, text, signature);
}

/**
 * The checkpoint in a note of this origin, where the log key has signed it once; otherwise `undefined`. Lines of other
 * keys, as of witnesses, are passed over. Never rejects.
 */
export async function openCheckpoint(
  note: Uint8Array,
  origin: string,
  logKey: Uint8Array,
): Promise<Checkpoint | undefined> {
  const parts = splitNote(note);
  const head = parts && readText(parts.text, origin);
  if (!head) return undefined;
  const id = await noteKeyId(origin, logKey);
  const own = parts.signatures.filter(
    ({ name, bytes }) => name === origin && id.every((byte, at) => bytes[at] === byte),
  );
  const [signed] = own;
  if (!signed || own.length !== 1) return undefined;
  const checkpoint = { ...head, signature: signed.bytes.slice(4) };
  return (await verifyCheckpoint(checkpoint, origin, logKey)) ? checkpoint : undefined;
}

interface NoteParts {
  readonly text: string;
  readonly signatures: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

function splitNote(note: Uint8Array): NoteParts | undefined {
  if (note.length > limits.checkpointBytesMax) return undefined;
  let whole: string;
  try {
    whole = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(note);
  } catch {
    return undefined;
  }
  const split = whole.lastIndexOf("\n\n");
  if (split < 0 || !whole.endsWith("\n")) return undefined;
  const lines = whole.slice(split + 2, -1).split("\n");
  if (lines.length > signaturesMax) return undefined;
  const signatures = [];
  for (const line of lines) {
    const [, name, base64] = signatureLine.exec(line) ?? [];
    const bytes = base64 === undefined ? undefined : fromBase64(base64);
    if (name === undefined || !bytes || bytes.length < 5) return undefined;
    signatures.push({ name, bytes });
  }
  return { text: whole.slice(0, split + 1), signatures };
}

/** Exactly three lines: a reader must not take for this log what says more than it knows. */
function readText(text: string, origin: string): DirectoryHead | undefined {
  const [first, size = "", root64 = "", end, more] = text.split("\n");
  if (first !== origin || end !== "" || more !== undefined) return undefined;
  const root = fromBase64(root64);
  if (!/^(?:0|[1-9]\d{0,15})$/.test(size) || root?.length !== 32) return undefined;
  const count = Number(size);
  return Number.isSafeInteger(count) ? { size: count, root } : undefined;
}

/** Base64 of RFC 4648 section 4. */
function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** Bytes of canonical base64; `undefined` for anything else. */
function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return toBase64(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/** The server identity's word for the key that signs the directory's checkpoints. */
export async function signLogKey(logKey: Uint8Array, identityKey: Signer): Promise<Uint8Array> {
  return await identityKey.sign(logKeyInput(logKey));
}

/** True where the server identity key vouches for the log key. Never rejects. */
export async function verifyLogKey(
  logKey: Uint8Array,
  proof: Uint8Array,
  serverKey: Uint8Array,
): Promise<boolean> {
  return logKey.length === 32 && (await verifyEd25519(serverKey, logKeyInput(logKey), proof));
}
