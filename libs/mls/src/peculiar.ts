import { Crypto } from "@peculiar/webcrypto";
import type { CryptoEngine } from "./engine/crypto-engine.ts";
import { subtleEngine } from "./engine/subtle-engine.ts";

/**
 * A second implementation of WebCrypto behind the same port, `@peculiar/webcrypto`: for tests that compare engines,
 * and never in a client's bundle. Keys cross over only as raw bytes.
 */
export const peculiarEngine: CryptoEngine = subtleEngine("peculiar", new Crypto());
