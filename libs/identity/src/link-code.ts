import { fromBase64Url, toBase64Url } from "./base64url.ts";
import {
  authorityOf,
  decodeFields,
  encodeFields,
  InviteError,
  parseAuthority,
  sized,
  Tag,
} from "./tagged-fields.ts";

const codeCharactersMax = 1024;

/** What a device shows to a new one of the same person. Its secret stands in the fragment and reaches no server. */
export interface LinkCode {
  readonly host: string;
  readonly port: number;
  /** SHA-256 of the server identity key. */
  readonly serverKeySha256: Uint8Array;
  /** Ed25519 key that signs the directory's checkpoints, where the device pinned one. */
  readonly logKey?: Uint8Array;
  /** 32 bytes. */
  readonly secret: Uint8Array;
}

/** The code as a text: `sotto://host:port/l#…`. */
export function makeLinkCode(code: LinkCode): string {
  const fields: [number, Uint8Array][] = [[Tag.serverKey, code.serverKeySha256]];
  if (code.logKey) fields.push([Tag.logKey, code.logKey]);
  // Last, so that a code that was cut off anywhere shows it.
  fields.push([Tag.secret, code.secret]);
  return `sotto://${authorityOf(code)}/l#${toBase64Url(encodeFields(fields))}`;
}

/** The code in a text. Throws `InviteError`. */
export function parseLinkCode(text: string): LinkCode {
  const trimmed = text.trim();
  if (trimmed.length > codeCharactersMax) throw new InviteError("it is too long");
  const [, authority, fragment] = /^sotto:\/\/([^/#]+)\/l#([A-Za-z0-9_-]+)$/.exec(trimmed) ?? [];
  if (!authority || !fragment) throw new InviteError("it is not of the form sotto://host:port/l#…");
  const address = parseAuthority(authority);
  let fields: Map<number, Uint8Array[]>;
  try {
    fields = decodeFields(fromBase64Url(fragment));
  } catch (cause) {
    if (cause instanceof InviteError) throw cause;
    throw new InviteError("the part after # is damaged", { cause });
  }
  const logKey = fields.get(Tag.logKey)?.[0];
  return {
    ...address,
    serverKeySha256: sized(fields.get(Tag.serverKey)?.[0], 32),
    ...(logKey ? { logKey: sized(logKey, 32) } : {}),
    secret: sized(fields.get(Tag.secret)?.[0], 32),
  };
}
