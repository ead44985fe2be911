import {
  foldName,
  fromHex,
  parseDeviceId,
  parseRoomId,
  parseUserId,
  type RoomId,
  toHex,
  toSafeNumber,
  type UserId,
  type UserName,
} from "@sotto/protocol";
import { fromBase64Url, toBase64Url } from "./base64url.ts";
import type { DirectoryHead } from "./directory.ts";
import type { ResetAllowance } from "./record.ts";
import {
  authorityOf,
  decodeFields,
  encodeFields,
  InviteError,
  parseAuthority,
  sized,
  Tag,
} from "./tagged-fields.ts";

const inviteCharactersMax = 8192;

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
  readonly inviter?: Inviter;
  /** Whose identity may begin anew with it, by the owner's word. */
  readonly reset?: InviteReset;
  /** The cipher suite of everybody here; absent where the inviter does not know. */
  readonly suite?: InviteSuite;
  /** Rooms that it grants. */
  readonly rooms: readonly RoomId[];
  /** How the inviter knew rooms into which the newcomer is let: the newcomer comes into no others under their ids. */
  readonly rosters?: readonly InviteRoster[];
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** Wall time, ms; 0 never. */
  readonly expiresAt: number;
}

/** Who invites, and the directory that they were shown: a newcomer believes no server that shows another one. */
export interface Inviter {
  readonly user: UserId;
  /** SHA-256 of the last record of their chain, 32 bytes. */
  readonly chainHead: Uint8Array;
  /** The directory's head when the invite was made. */
  readonly head: DirectoryHead;
}

/** Where the roster of a room, as the inviter had it, is found: a part of the room, named by its hash. */
export interface InviteRoster {
  readonly room: RoomId;
  /** SHA-256 of the encoded Roster, 32 bytes. */
  readonly sha256: Uint8Array;
  /** Its length. */
  readonly bytes: number;
}

/** The owner's word that an identity may begin anew: what `ResetAllowance` holds, for whom, and where it goes on. */
export interface InviteReset extends ResetAllowance {
  readonly user: UserId;
  /** The place in the user's chain that the record takes: it cannot be read without a login. */
  readonly seq: number;
  /** SHA-256 of the record before, hex. */
  readonly prev: string;
  readonly name: UserName;
}

/** How people of one server seal: everybody in a group speaks the same suite. */
export type InviteSuite = "x-wing" | "classical";

const suiteNumbers: Readonly<Record<InviteSuite, number>> = { "x-wing": 1, classical: 2 };

/** Both forms of an invite: for the terminal, and for people who click. */
export function makeInvite(invite: Invite): { readonly invite: string; readonly link: string } {
  const fragment = toBase64Url(encodeFields(fieldsOf(invite)));
  const authority = authorityOf(invite);
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
    return { host, port, ...readFields(decodeFields(fromBase64Url(fragment))) };
  } catch (cause) {
    if (cause instanceof InviteError) throw cause;
    throw new InviteError("the part after # is damaged", { cause });
  }
}

function fieldsOf(invite: Invite): [number, Uint8Array][] {
  const fields: [number, Uint8Array][] = [[Tag.serverKey, invite.serverKeySha256]];
  if (invite.logKey) fields.push([Tag.logKey, invite.logKey]);
  for (const key of invite.auditorKeys ?? []) fields.push([Tag.auditor, key]);
  if (invite.inviter) {
    const { user, chainHead, head } = invite.inviter;
    const shown = [...numberBytes(head.size), ...head.root];
    fields.push([Tag.inviter, new Uint8Array([...fromHex(user), ...chainHead, ...shown])]);
  }
  for (const room of invite.rooms) fields.push([Tag.room, fromHex(room)]);
  for (const { room, sha256, bytes } of invite.rosters ?? [])
    fields.push([
      Tag.roster,
      Uint8Array.from([...sha256, ...numberBytes(bytes), ...fromHex(room)]),
    ]);
  if (invite.expiresAt > 0) fields.push([Tag.expires, numberBytes(invite.expiresAt)]);
  if (invite.reset) {
    const { user, device, expires, signature, seq, prev, name } = invite.reset;
    const word = [...fromHex(user + device), ...numberBytes(expires), ...signature];
    const place = [...numberBytes(seq), ...fromHex(prev), ...new TextEncoder().encode(name)];
    fields.push([Tag.reset, Uint8Array.from([...word, ...place])]);
  }
  if (invite.suite) fields.push([Tag.suite, Uint8Array.of(suiteNumbers[invite.suite])]);
  // Last, so that a link that was cut off anywhere shows it.
  fields.push([Tag.secret, invite.secret]);
  return fields;
}

function readFields(fields: Map<number, Uint8Array[]>): Omit<Invite, "host" | "port"> {
  const one = (tag: number) => fields.get(tag)?.[0];
  const all = (tag: number) => fields.get(tag) ?? [];
  const logKey = one(Tag.logKey);
  const auditorKeys = all(Tag.auditor).map((key) => sized(key, 32));
  const inviter = one(Tag.inviter);
  const rosters = all(Tag.roster).map(readRoster);
  const expires = one(Tag.expires);
  const reset = one(Tag.reset);
  const suite = one(Tag.suite);
  return {
    serverKeySha256: sized(one(Tag.serverKey), 32),
    ...(logKey ? { logKey: sized(logKey, 32) } : {}),
    ...(auditorKeys.length > 0 ? { auditorKeys } : {}),
    ...(inviter ? { inviter: readInviter(sized(inviter, 88)) } : {}),
    ...(reset ? { reset: readReset(reset) } : {}),
    ...(suite ? { suite: readSuite(sized(suite, 1)) } : {}),
    rooms: all(Tag.room).map((room) => parseRoomId(room)),
    ...(rosters.length > 0 ? { rosters } : {}),
    secret: sized(one(Tag.secret), 32),
    expiresAt: expires ? readNumber(sized(expires, 8)) : 0,
  };
}

function readInviter(value: Uint8Array): Inviter {
  return {
    user: parseUserId(value.subarray(0, 16)),
    chainHead: value.slice(16, 48),
    head: { size: readNumber(value.subarray(48, 56)), root: value.slice(56) },
  };
}

const rosterFixedBytes = 40;
/** As of any part; readers set memory aside by it. */
const rosterBytesMax = 16 * 1024 * 1024;

function readRoster(value: Uint8Array): InviteRoster {
  if (value.length <= rosterFixedBytes) throw new InviteError("the part after # is not whole");
  const bytes = readNumber(value.subarray(32, rosterFixedBytes));
  if (bytes > rosterBytesMax) throw new InviteError("the part after # is damaged");
  const room = parseRoomId(value.subarray(rosterFixedBytes));
  return { room, sha256: value.slice(0, 32), bytes };
}

function readSuite([number]: Uint8Array): InviteSuite {
  if (number === suiteNumbers["x-wing"]) return "x-wing";
  if (number === suiteNumbers.classical) return "classical";
  throw new InviteError("people there seal by a suite that this client does not know; update it");
}

const resetFixedBytes = 144;

function readReset(value: Uint8Array): InviteReset {
  if (value.length <= resetFixedBytes) throw new InviteError("the part after # is not whole");
  const text = new TextDecoder("utf-8", { fatal: true }).decode(value.subarray(resetFixedBytes));
  return {
    user: parseUserId(value.subarray(0, 16)),
    device: parseDeviceId(value.subarray(16, 32)),
    expires: readNumber(value.subarray(32, 40)),
    signature: value.slice(40, 104),
    seq: readNumber(value.subarray(104, 112)),
    prev: toHex(value.subarray(112, resetFixedBytes)),
    name: foldName(text),
  };
}

function numberBytes(number: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  return bytes;
}

function readNumber(value: Uint8Array): number {
  return toSafeNumber(new DataView(value.buffer, value.byteOffset, 8).getBigUint64(0));
}
