import {
  fromHex,
  parseRoomId,
  parseUserId,
  type RoomId,
  toSafeNumber,
  type UserId,
} from "@sotto/protocol";
import { fromBase64Url, toBase64Url } from "./base64url.ts";

const version = 1;
const inviteCharactersMax = 8192;

/** Tags of an invite's fields. Unknown ones are ignored below 128 and refused from there on. */
const Tag = {
  serverKey: 1,
  logKey: 2,
  auditor: 3,
  inviter: 4,
  room: 5,
  secret: 6,
  expires: 7,
} as const;

/** What an invite carries. Its secret lets somebody in: it stands in the fragment and reaches no server. */
export interface Invite {
  readonly host: string;
  readonly port: number;
  /** SHA-256 of the server identity key. */
  readonly serverKeySha256: Uint8Array;
  /** Ed25519 key that signs the directory's checkpoints, where the server has one. */
  readonly logKey?: Uint8Array;
  /** Ed25519 keys of auditors whose cosignatures are demanded. */
  readonly auditorKeys?: readonly Uint8Array[];
  /** Who invites; absent in the owner's own invite. */
  readonly inviter?: { readonly user: UserId; readonly chainHead: Uint8Array };
  /** Rooms that it grants. */
  readonly rooms: readonly RoomId[];
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** Wall time, ms; 0 never. */
  readonly expiresAt: number;
}

/** Thrown for a text that is no invite, or not a whole one. */
export class InviteError extends Error {
  override readonly name = "InviteError";
}

/** Both forms of an invite: for the terminal, and for people who click. */
export function makeInvite(invite: Invite): { readonly invite: string; readonly link: string } {
  const host = invite.host.includes(":") ? `[${invite.host}]` : invite.host;
  const fragment = toBase64Url(encodeFields(invite));
  const authority = `${host}:${invite.port}`;
  return {
    invite: `sotto://${authority}/#${fragment}`,
    link: `https://${authority}/i#${fragment}`,
  };
}

/** The invite in either form. Throws `InviteError`. */
export function parseInvite(text: string): Invite {
  const trimmed = text.trim();
  if (trimmed.length > inviteCharactersMax) throw new InviteError("it is too long");
  const match = /^(?:sotto:\/\/([^/#]+)\/?|https:\/\/([^/#]+)\/i)#([A-Za-z0-9_-]+)$/.exec(trimmed);
  const authority = match?.[1] ?? match?.[2];
  const fragment = match?.[3];
  if (!authority || !fragment) throw new InviteError("it is not of the form sotto://host:port/#…");
  const { host, port } = parseAuthority(authority);
  try {
    return { host, port, ...decodeFields(fromBase64Url(fragment)) };
  } catch (cause) {
    if (cause instanceof InviteError) throw cause;
    throw new InviteError("the part after # is damaged", { cause });
  }
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

function encodeFields(invite: Invite): Uint8Array {
  const fields: [number, Uint8Array][] = [[Tag.serverKey, invite.serverKeySha256]];
  if (invite.logKey) fields.push([Tag.logKey, invite.logKey]);
  for (const key of invite.auditorKeys ?? []) fields.push([Tag.auditor, key]);
  if (invite.inviter) {
    const { user, chainHead } = invite.inviter;
    fields.push([Tag.inviter, new Uint8Array([...fromHex(user), ...chainHead])]);
  }
  for (const room of invite.rooms) fields.push([Tag.room, fromHex(room)]);
  if (invite.expiresAt > 0) {
    const expires = new Uint8Array(8);
    new DataView(expires.buffer).setBigUint64(0, BigInt(invite.expiresAt));
    fields.push([Tag.expires, expires]);
  }
  // Last, so that a link that was cut off anywhere shows it.
  fields.push([Tag.secret, invite.secret]);
  const bytes = [version];
  for (const [tag, value] of fields)
    bytes.push(tag, value.length >> 8, value.length & 0xff, ...value);
  return Uint8Array.from(bytes);
}

const repeated: ReadonlySet<number> = new Set([Tag.auditor, Tag.room]);

function decodeFields(bytes: Uint8Array): Omit<Invite, "host" | "port"> {
  const fields = splitFields(bytes);
  const one = (tag: number) => fields.get(tag)?.[0];
  const all = (tag: number) => fields.get(tag) ?? [];
  const logKey = one(Tag.logKey);
  const auditorKeys = all(Tag.auditor).map((key) => sized(key, 32));
  const inviter = one(Tag.inviter);
  const expires = one(Tag.expires);
  return {
    serverKeySha256: sized(one(Tag.serverKey), 32),
    ...(logKey ? { logKey: sized(logKey, 32) } : {}),
    ...(auditorKeys.length > 0 ? { auditorKeys } : {}),
    ...(inviter ? { inviter: readInviter(sized(inviter, 48)) } : {}),
    rooms: all(Tag.room).map((room) => parseRoomId(room)),
    secret: sized(one(Tag.secret), 32),
    expiresAt: expires ? readTime(sized(expires, 8)) : 0,
  };
}

/** Values by tag. A tag that must not be repeated stands once, so that nobody reads another value than we do. */
function splitFields(bytes: Uint8Array): Map<number, Uint8Array[]> {
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
    const known = fields.get(tag) ?? [];
    if (known.length > 0 && tag <= Tag.expires && !repeated.has(tag))
      throw new InviteError("the part after # is damaged");
    fields.set(tag, [...known, value]);
    at += 3 + length;
  }
  return fields;
}

function readInviter(value: Uint8Array) {
  return { user: parseUserId(value.subarray(0, 16)), chainHead: value.slice(16) };
}

function readTime(value: Uint8Array): number {
  return toSafeNumber(new DataView(value.buffer, value.byteOffset, 8).getBigUint64(0));
}

function sized(value: Uint8Array | undefined, length: number): Uint8Array {
  if (value?.length !== length) throw new InviteError("the part after # is not whole");
  return value;
}
