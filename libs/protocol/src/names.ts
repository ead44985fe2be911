import { SottoError } from "./errors.ts";
import { ErrorCode } from "./gen/sotto/v1/client_pb.js";

/** A folded name of a person: unique for ever, never the identifier. */
export type UserName = string & { readonly __name: unique symbol };

const namePattern = /^[a-z0-9][a-z0-9._-]{0,31}$/;

/** A name as it is kept: NFKC and case-folded. Throws `SottoError` NAME_INVALID. */
export function foldName(name: string): UserName {
  const folded = name.normalize("NFKC").toLowerCase().trim();
  if (!namePattern.test(folded)) {
    throw new SottoError(
      ErrorCode.NAME_INVALID,
      "a name has 1 to 32 of a-z, 0-9, dot, underscore and hyphen, and begins with a letter or digit",
    );
  }
  return folded as UserName;
}

const titleCharactersMax = 64;

/** Letters that show nothing. */
const blanks = /[\u115f\u1160\u2800\u3164\uffa0]/gu;

/** True for a title that reads like a person's, as in `@alice`: a direct conversation is shown so, a room must not be. */
export function readsLikePerson(title: string): boolean {
  return /^[^\p{L}\p{N}]*@/u.test(title.normalize("NFKC").replace(blanks, ""));
}

/** A room's title: any text of one line, 1 to 64 characters. Throws `SottoError` NAME_INVALID. */
export function checkTitle(title: string): string {
  const text = title.normalize("NFC").trim();
  if (
    text.length === 0 ||
    [...text].length > titleCharactersMax ||
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text)
  ) {
    throw new SottoError(
      ErrorCode.NAME_INVALID,
      `a room's name is one line of 1 to ${titleCharactersMax} characters`,
    );
  }
  return text;
}
