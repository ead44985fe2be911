import {
  fromHex,
  parseRoomId,
  parseUserId,
  type RoomId,
  toHex,
  type UserId,
} from "@sotto/protocol";
import { fromBase64Url, toBase64Url } from "./ed25519.ts";

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

function parseAuthority(authority: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(authority);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? 443 : Number(match[3]);
  if (!host || port < 1 || port > 65_535) throw new InviteError("its address is not host:port");
  return { host, port };
}

function encodeFields(invite: Invite): Uint8Array {
  const fields: [number, Uint8Array][] = [[Tag.serverKey, invite.serverKeySha256]];
  if (invite.inviter) {
    const { user, chainHead } = invite.inviter;
    fields.push([Tag.inviter, new Uint8Array([...fromHex(user), ...chainHead])]);
  }
  for (const room of invite.rooms) fields.push([Tag.room, fromHex(room)]);
  fields.push([Tag.secret, invite.secret]);
  if (invite.expiresAt > 0) {
    const expires = new Uint8Array(8);
    new DataView(expires.buffer).setBigUint64(0, BigInt(invite.expiresAt));
    fields.push([Tag.expires, expires]);
  }
  const bytes = [version];
  for (const [tag, value] of fields)
    bytes.push(tag, value.length >> 8, value.length & 0xff, ...value);
  return Uint8Array.from(bytes);
}

function decodeFields(bytes: Uint8Array): Omit<Invite, "host" | "port"> {
  if (bytes[0] !== version)
    throw new InviteError("it was made by a newer Sotto; update this client");
  const single = new Map<number, Uint8Array>();
  const rooms: RoomId[] = [];
  for (let at = 1; at < bytes.length; ) {
    const tag = bytes[at] ?? 0;
    const length = (bytes[at + 1] ?? 0) * 256 + (bytes[at + 2] ?? 0);
    const value = bytes.subarray(at + 3, at + 3 + length);
    if (value.length !== length) throw new InviteError("the part after # is cut off");
    if (tag >= 128) throw new InviteError("it needs a newer client");
    if (tag === Tag.room) rooms.push(parseRoomId(value));
    else single.set(tag, value.slice());
    at += 3 + length;
  }
  const inviter = single.get(Tag.inviter);
  const expires = single.get(Tag.expires);
  return {
    serverKeySha256: sized(single.get(Tag.serverKey)),
    ...(inviter?.length === 48
      ? {
          inviter: {
            user: parseUserId(toHex(inviter.subarray(0, 16))),
            chainHead: inviter.slice(16),
          },
        }
      : {}),
    rooms,
    secret: sized(single.get(Tag.secret)),
    expiresAt:
      expires?.length === 8
        ? Number(new DataView(expires.buffer, expires.byteOffset).getBigUint64(0))
        : 0,
  };
}

function sized(value: Uint8Array | undefined): Uint8Array {
  if (value?.length !== 32) throw new InviteError("the part after # is not whole");
  return value;
}
