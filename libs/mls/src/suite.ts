import {
  type CiphersuiteImpl,
  type CiphersuiteName,
  type CryptoProvider,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
} from "ts-mls";

/** `x-wing` is hybrid post-quantum and the default; `classical` is suite 1 of RFC 9420. */
export type SuiteName = "x-wing" | "classical";

const names: Readonly<Record<SuiteName, CiphersuiteName>> = {
  "x-wing": "MLS_256_XWING_AES256GCM_SHA512_Ed25519",
  classical: "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
};

/** The library's name of a suite. */
export function ciphersuiteName(suite: SuiteName): CiphersuiteName {
  return names[suite];
}

/** The suite's algorithms, by the platform or by `provider`. */
export async function loadSuite(
  suite: SuiteName,
  provider?: CryptoProvider,
): Promise<CiphersuiteImpl> {
  return await getCiphersuiteImpl(getCiphersuiteFromName(names[suite]), provider);
}
