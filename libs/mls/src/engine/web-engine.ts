import { hmac } from "@noble/hashes/hmac.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import type { CryptoEngine, HashName } from "./crypto-engine.ts";
import { type SmallSteps, subtleEngine, subtleSteps } from "./subtle-engine.ts";

const hashes = { "SHA-256": sha256, "SHA-512": sha512 } as const;

/** Up to this a hash in JavaScript is done before a call of WebCrypto has crossed to its thread and back. */
const smallBytesMax = 2048;

function steps(large: SmallSteps): SmallSteps {
  return {
    digest: (hash: HashName, data) =>
      data.length <= smallBytesMax ? hashes[hash](data) : large.digest(hash, data),
    hmac: (hash: HashName, key, data) =>
      data.length <= smallBytesMax ? hmac(hashes[hash], key, data) : large.hmac(hash, key, data),
  };
}

/** The platform's WebCrypto, everywhere: browsers and Node. Small hashes and HKDF steps are done in JavaScript. */
export const webEngine: CryptoEngine = subtleEngine(
  "web",
  globalThis.crypto,
  steps(subtleSteps(globalThis.crypto)),
);
