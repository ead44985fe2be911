/** Tags of the fields in a link's fragment. Unknown ones are ignored below 128 and refused from there on. */
export const Tag = {
  serverKey: 1,
  logKey: 2,
  auditor: 3,
  inviter: 4,
  room: 5,
  secret: 6,
  expires: 7,
  reset: 8,
  suite: 9,
  roster: 10,
} as const;

const version = 1;
const known: ReadonlySet<number> = new Set(Object.values(Tag));
const repeated: ReadonlySet<number> = new Set([Tag.auditor, Tag.room, Tag.roster]);

/** Thrown for a text that is no invite or code of Sotto, or not a whole one. */
export class InviteError extends Error {
  override readonly name = "InviteError";
}

/** u8 version, then for each field u8 tag, u16be length and value, in the given order. */
export function encodeFields(fields: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  const bytes = [version];
  for (const [tag, value] of fields)
    bytes.push(tag, value.length >> 8, value.length & 0xff, ...value);
  return Uint8Array.from(bytes);
}

/**
 * Values by tag. A tag that must not be repeated stands once, so that nobody reads another value than we
 * do. Throws `InviteError`.
 */
export function decodeFields(bytes: Uint8Array): Map<number, Uint8Array[]> {
  if (bytes[0] !== version)
    throw new InviteError("it was made by a newer Sotto; update this client");
  const fields = new Map<number, Uint8Array[]>();
  for (let at = 1; at < bytes.length; ) {
    const tag = bytes[at] ?? 0;
    const length = (bytes[at + 1] ?? 0) * 256 + (bytes[at + 2] ?? 0);
    const value = bytes.slice(at + 3, at + 3 + length);
    if (at + 3 > bytes.length || value.length !== length)
      throw new InviteError("the part after # is cut off");
    if (tag >= 128) throw new InviteError("it needs a newer client");
    const before = fields.get(tag) ?? [];
    if (before.length > 0 && known.has(tag) && !repeated.has(tag))
      throw new InviteError("the part after # is damaged");
    fields.set(tag, [...before, value]);
    at += 3 + length;
  }
  return fields;
}

/** A field that is there and has this length. Throws `InviteError`. */
export function sized(value: Uint8Array | undefined, length: number): Uint8Array {
  if (value?.length !== length) throw new InviteError("the part after # is not whole");
  return value;
}

/** `host:port`, the host in brackets where it is IPv6; port 443 where none is named. Throws `InviteError`. */
export function parseAuthority(authority: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([\p{L}\p{N}._-]{1,253}))(?::(\d{1,5}))?$/u.exec(
    authority,
  );
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? 443 : Number(match[3]);
  if (!host || port < 1 || port > 65_535) throw new InviteError("its address is not host:port");
  return { host, port };
}

/** `host:port` as it stands in links. */
export function authorityOf({ host, port }: { host: string; port: number }): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
