import { type Signer, signerFromSeed } from "./ed25519.ts";

/** What follows from an invite's secret: one half for the server, one that it never has. */
export interface InviteKeys {
  /** Shown to the server to register; it keeps its SHA-256. 32 bytes. */
  readonly serverToken: Uint8Array;
  /** Proves to members that a newcomer holds the invite. */
  readonly inviteKey: Signer;
}

/** Derives both halves by HKDF-SHA256 (RFC 5869) without salt. `secret` has 32 bytes. */
export async function inviteKeys(secret: Uint8Array): Promise<InviteKeys> {
  const [serverToken, seed] = await Promise.all([
    derive(secret, "sotto-invite-server-v1"),
    derive(secret, "sotto-invite-arrival-v1"),
  ]);
  return { serverToken, inviteKey: await signerFromSeed(seed) };
}

async function derive(secret: Uint8Array, info: string): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey(
    "raw",
    secret as Uint8Array<ArrayBuffer>,
    "HKDF",
    false,
    ["deriveBits"],
  );
  const parameters = {
    name: "HKDF",
    hash: "SHA-256",
    salt: new Uint8Array(),
    info: new TextEncoder().encode(info),
  };
  return new Uint8Array(await crypto.subtle.deriveBits(parameters, key, 256));
}
