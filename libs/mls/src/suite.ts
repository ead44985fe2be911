import { type CiphersuiteImpl, type CiphersuiteName, getCiphersuiteFromName } from "ts-mls";
import type { CryptoEngine } from "./engine/crypto-engine.ts";
import { suiteOf } from "./engine/engine-suite.ts";

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

/** The suite's algorithms by an engine. */
export function loadSuite(suite: SuiteName, engine: CryptoEngine): CiphersuiteImpl {
  return suiteOf(engine, getCiphersuiteFromName(names[suite]));
}
