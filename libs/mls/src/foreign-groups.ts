import type { CiphersuiteImpl, Credential } from "ts-mls";
import type { LeafIdentity } from "./leaf-identity.ts";

/**
 * What groups of RFC 9420 have and those of Sotto do without. No program gives it: the official vectors do, whose
 * groups are of other people, and go through the same code with the same configuration otherwise.
 */
export interface ForeignGroups {
  /** Algorithms, of whichever suite. */
  readonly suite: CiphersuiteImpl;
  /** Who stands behind a credential; the judge is asked about them. */
  identityOf(credential: Credential): LeafIdentity;
  /** External pre-shared keys by their ids, which are base64. Secret. */
  readonly psks: Readonly<Record<string, Uint8Array>>;
}
