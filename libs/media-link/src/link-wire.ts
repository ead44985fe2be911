import { createHash, timingSafeEqual } from "node:crypto";
import { MediaLinkError } from "./media-link.ts";

/** Largest piece that is taken: one piece of the protocol and some room. */
export const pieceBytesMax = 4 * 1024 * 1024;

/** Status of each refusal; the code itself goes in a header. */
export const statusOf: Readonly<Record<MediaLinkError["code"], number>> = {
  NOT_FOUND: 404,
  BAD_RANGE: 416,
  INCOMPLETE: 409,
  OUT_OF_ORDER: 409,
  CONFLICT: 409,
  TOO_LARGE: 413,
  FULL: 507,
  BUSY: 503,
  UNAVAILABLE: 503,
};

/** Header that carries a `MediaLinkError`'s code. */
export const codeHeader = "sotto-code";

/** The error that a response tells of. */
export function errorOf(code: string | undefined, message: string): MediaLinkError {
  const known = code !== undefined && code in statusOf;
  return new MediaLinkError(known ? (code as MediaLinkError["code"]) : "UNAVAILABLE", message);
}

/** True where the header carries the token. Compared by digest, in constant time. */
export function authorised(header: string | undefined, token: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(header ?? ""), digest(`Bearer ${token}`));
}

/** A request's place: `/open/<room>/<object>?offset=&length=` or `/piece/<room>/<object>/<n>`. */
export type LinkRequest =
  | {
      readonly kind: "open";
      readonly room: string;
      readonly object: string;
      readonly offset: number;
      readonly length: number;
    }
  | {
      readonly kind: "piece";
      readonly room: string;
      readonly object: string;
      readonly piece: number;
    };

/** Reads method and address of a request; `undefined` where it is none of the link's. */
export function parseRequest(
  method: string | undefined,
  url: string | undefined,
): LinkRequest | undefined {
  const { pathname, searchParams } = new URL(url ?? "/", "http://link");
  const open = /^\/open\/([0-9a-f]{16,128})\/([0-9a-f]{16,128})$/.exec(pathname);
  if (method === "GET" && open?.[1] && open[2]) {
    const offset = count(searchParams.get("offset"));
    const length = count(searchParams.get("length"));
    if (offset === undefined || length === undefined) return undefined;
    return { kind: "open", room: open[1], object: open[2], offset, length };
  }
  const piece = /^\/piece\/([0-9a-f]{16,128})\/([0-9a-f]{16,128})\/(\d{1,10})$/.exec(pathname);
  if (method === "PUT" && piece?.[1] && piece[2]) {
    return { kind: "piece", room: piece[1], object: piece[2], piece: Number(piece[3]) };
  }
  return undefined;
}

function count(text: string | null): number | undefined {
  const value = Number(text);
  return text !== null && /^\d{1,16}$/.test(text) && Number.isSafeInteger(value)
    ? value
    : undefined;
}
