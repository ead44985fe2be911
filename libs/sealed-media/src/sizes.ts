import { SealedMediaError } from "./sealed-media-error.ts";

/** Salt and key commitment before the first chunk. */
export const headerBytes = 56;
export const saltBytes = 24;
/** Plaintext of every chunk but the last, which is shorter and may be empty. */
export const chunkBytes = 16 * 1024;
export const tagBytes = 16;
export const sealedChunkBytes = chunkBytes + tagBytes;
/** What is hashed as a whole, and what one upload piece holds. */
export const blockBytes = 1024 * 1024;

/** Sealed size of a plaintext of `plain` bytes. */
export function sealedLength(plain: number): number {
  return headerBytes + plain + (Math.floor(plain / chunkBytes) + 1) * tagBytes;
}

/** Plaintext size of a sealed object. Throws `SealedMediaError` BAD_LENGTH where nothing has that size. */
export function plainLength(sealed: number): number {
  const body = sealed - headerBytes;
  const lastChunk = body % sealedChunkBytes;
  if (!Number.isSafeInteger(sealed) || body < tagBytes || lastChunk < tagBytes) {
    throw new SealedMediaError("BAD_LENGTH", `no sealed object has ${sealed} bytes`);
  }
  return body - (Math.floor(body / sealedChunkBytes) + 1) * tagBytes;
}

/** Number of blocks of a sealed object. */
export function blockCount(sealed: number): number {
  return Math.ceil(sealed / blockBytes);
}
