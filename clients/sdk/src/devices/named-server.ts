import { InviteError, parseAuthority, parseInvite, parseLinkCode } from "@sotto/identity";
import { SottoClientError } from "../errors.ts";
import type { ServerAddress } from "../ports/transport.ts";

/** A server as a person names it, and its pin where what they have carries one. */
export interface NamedServer {
  readonly address: ServerAddress;
  /** SHA-256 of the server identity key. */
  readonly serverKeySha256: Uint8Array | undefined;
}

/** Reads `host:port`, or any invite or link code of that server, used or not. Throws BAD_INVITE. */
export function namedServer(text: string): NamedServer {
  for (const read of [parseInvite, parseLinkCode, bareAddress]) {
    try {
      const { host, port, serverKeySha256 } = read(text);
      return { address: { host, port }, serverKeySha256 };
    } catch (error) {
      if (!(error instanceof InviteError)) throw error;
    }
  }
  throw new SottoClientError(
    "BAD_INVITE",
    "name the server as host:port, or by any invite or link of it",
  );
}

function bareAddress(text: string) {
  return { ...parseAuthority(text.trim()), serverKeySha256: undefined };
}
