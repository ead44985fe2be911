export { decodeHashList, encodeHashList, rootOf } from "./hash-list.ts";
export { type FetchSealed, Opener, type SealedObject } from "./opener.ts";
export { type ChunkCipher, type SealCrypto, webSealCrypto } from "./seal-crypto.ts";
export { SealedMediaError, type SealedMediaErrorCode } from "./sealed-media-error.ts";
export { Sealer, type SealOptions } from "./sealer.ts";
export {
  blockBytes,
  blockCount,
  chunkBytes,
  headerBytes,
  plainLength,
  saltBytes,
  sealedLength,
  tagBytes,
} from "./sizes.ts";
