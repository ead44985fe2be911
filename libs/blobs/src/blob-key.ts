import { BlobStoreError } from "./blob-store.ts";

const segment = "[a-z0-9._-]+";
const keyPattern = new RegExp(`^${segment}(?:/${segment})*$`);
const keyCharactersMax = 512;

/** Checks a key; what passes cannot leave the store's folder. Throws `BlobStoreError` BAD_KEY. */
export function checkKey(key: string): void {
  const dots = key.split("/").some((part) => part === "." || part === "..");
  if (key.length > keyCharactersMax || dots || !keyPattern.test(key)) {
    throw new BlobStoreError(
      "BAD_KEY",
      "a key is made of segments of a-z, 0-9, dot, underscore and hyphen",
    );
  }
}

/** Checks a prefix: whole segments, ending in a slash; or empty. Throws `BlobStoreError` BAD_KEY. */
export function checkPrefix(prefix: string): void {
  if (prefix === "") return;
  if (!prefix.endsWith("/")) throw new BlobStoreError("BAD_KEY", "a prefix ends in a slash");
  checkKey(prefix.slice(0, -1));
}
