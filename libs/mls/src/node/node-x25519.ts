import { diffieHellman } from "node:crypto";
import { curvePrivateKey, curvePublicKey, plain, rawPublicKeyOf } from "./der-keys.ts";

/** Diffie-Hellman on Curve25519 by OpenSSL, which refuses a result of zero. Synchronous. */
export const nodeX25519 = {
  publicKeyOf: (privateKey: Uint8Array) => rawPublicKeyOf(curvePrivateKey("x25519", privateKey)),
  agree: (privateKey: Uint8Array, publicKey: Uint8Array) =>
    plain(
      diffieHellman({
        privateKey: curvePrivateKey("x25519", privateKey),
        publicKey: curvePublicKey("x25519", publicKey),
      }),
    ),
};
