import "reflect-metadata";
import { createPrivateKey, createPublicKey, generateKeyPairSync, webcrypto } from "node:crypto";
import { X509CertificateGenerator } from "@peculiar/x509";
import type { TlsIdentity } from "./listener/listener.ts";

const dayMs = 24 * 3600 * 1000;
/** Clients do not look at it; browsers refuse more. */
const validityMs = 397 * dayMs;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A P-256 certificate for nobody in particular, by `keyPem` where it is given, else by a new key. */
export async function selfSigned(nowMs: number, keyPem?: string): Promise<TlsIdentity> {
  const privateKey = keyPem
    ? createPrivateKey(keyPem)
    : generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const pkcs8 = privateKey.export({ type: "pkcs8", format: "der" });
  const spki = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const keys = {
    privateKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]),
    publicKey: await webcrypto.subtle.importKey("spki", spki, algorithm, true, ["verify"]),
  };
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      name: "CN=sotto",
      notBefore: new Date(nowMs - dayMs),
      notAfter: new Date(nowMs + validityMs),
      signingAlgorithm: algorithm,
      keys,
    },
    webcrypto,
  );
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    certificate: certificate.toString("pem"),
  };
}
