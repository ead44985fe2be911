import { SottoClientError } from "../errors.ts";
import {
  type DataKeys,
  type KeyFile,
  passphraseBytesMax,
  passphraseBytesMin,
  Wrapping,
} from "./key-file.ts";

/** Throws BAD_PASSPHRASE for one that cannot be set. */
export function checkPassphrase(passphrase: Uint8Array): void {
  if (passphrase.length < passphraseBytesMin || passphrase.length > passphraseBytesMax) {
    throw new SottoClientError(
      "BAD_PASSPHRASE",
      `a passphrase has ${passphraseBytesMin} to ${passphraseBytesMax} bytes`,
    );
  }
}

/** Rejects with WRONG_PASSPHRASE. */
export async function unwrap(
  passphrase: Uint8Array,
  file: KeyFile & { readonly kind: "passphrase" },
): Promise<{ readonly wrapping: Wrapping; readonly keys: DataKeys }> {
  if (passphrase.length > passphraseBytesMax) throw wrong();
  const wrapping = await Wrapping.of(passphrase, file);
  const keys = wrapping.open(file);
  if (!keys) throw wrong();
  return { wrapping, keys };
}

function wrong(): SottoClientError {
  return new SottoClientError("WRONG_PASSPHRASE", "that is not the passphrase of this profile");
}
