import {
  createGrant,
  type Invite,
  type InviteKeys,
  type InviteRoster,
  inviteKeys,
  makeInvite,
  signReset,
} from "@sotto/identity";
import { fromHex, type RoomId, toHex, type UserId } from "@sotto/protocol";
import { randomBytes, sha256 } from "./bytes.ts";
import { SottoClientError } from "./errors.ts";
import type { People } from "./people.ts";
import type { RoomDesk } from "./room-desk.ts";
import { publishRoster } from "./rooms/invited-room.ts";
import type { RoomContext } from "./rooms/room-context.ts";

/** For whom an invite is, and for what. */
export interface InviteOptions {
  /** Rooms by id or name. Default: `general`. */
  readonly rooms?: readonly string[];
  /** How many people may use it. Default 1. */
  readonly uses?: number;
  /** How long it is good for, ms; 0 for ever. Default 7 days. */
  readonly expiresInMs?: number;
  /**
   * Whose identity begins anew with it, by name or id; `rooms` are those that the person comes into again. Used
   * once.
   */
  readonly reset?: string;
}

/** An invite, to be given to somebody by a way that they trust. */
export interface CreatedInvite {
  /** `sotto://…`, for the terminal. */
  readonly invite: string;
  /** `https://…`, for people who click. */
  readonly link: string;
  /** Ms since 1970; 0: never. */
  readonly expiresAt: number;
}

const dayMs = 24 * 3600 * 1000;

/**
 * Makes an invite. Its secret is made here and never reaches the server, which keeps only what it takes
 * to count uses; the grant of rooms is signed by this device.
 */
export async function createInvite(
  context: RoomContext,
  desk: RoomDesk,
  people: People,
  options: InviteOptions,
): Promise<CreatedInvite> {
  if (options.reset !== undefined)
    return await createResetInvite(context, desk, people.find(options.reset), options);
  const rooms = roomsOf(desk, options);
  const secret = await newSecret(context, options);
  const { inviteKey, expiresAt } = secret;
  const grant = await createGrant(
    { inviter: context.profile, inviteKey: inviteKey.publicKey, rooms, expiresAt },
    context.signKey,
  );
  const rosters = await rostersOf(context, desk, rooms);
  await register(context, secret, options.uses ?? 1, grant);
  return await write(context, secret, { rooms, rosters });
}

/**
 * Makes an invite with which somebody's identity begins anew: for people who lost all devices and their recovery
 * phrase. Only the server's owner can, and everybody sees it. This device then lets the person into the rooms
 * again, once. Rejects with REFUSED where this is not the owner, UNKNOWN_USER.
 */
async function createResetInvite(
  context: RoomContext,
  desk: RoomDesk,
  person: UserId,
  options: InviteOptions,
): Promise<CreatedInvite> {
  const { profile, directory, signKey, promised } = context;
  if (directory.directory.owner !== profile.user)
    throw new SottoClientError("REFUSED", "only the server's owner lets an identity begin anew");
  const user = directory.directory.user(person);
  if (!user || person === profile.user)
    throw new SottoClientError("UNKNOWN_USER", "that must be somebody else of this server");
  const rooms = roomsOf(desk, options);
  const secret = await newSecret(context, options);
  const { inviteKey, expiresAt } = secret;
  const by = { device: profile.device, signer: signKey };
  const place = { seq: user.chain.length, prev: user.chain.at(-1) ?? "" };
  const word = { user: user.id, inviteKey: inviteKey.publicKey, prev: place.prev };
  const allowed = await signReset(word, expiresAt, by);
  const rosters = await rostersOf(context, desk, rooms);
  await register(context, secret, 1, new Uint8Array());
  await promised.promise(user.id, inviteKey.publicKey, rooms);
  return await write(context, secret, {
    rooms: [],
    rosters,
    reset: { ...allowed, ...place, user: user.id, name: user.name },
  });
}

function roomsOf(desk: RoomDesk, { rooms }: InviteOptions): RoomId[] {
  return rooms ? rooms.map((room) => desk.find(room).room) : [desk.general().room];
}

/** How this device knows the rooms: a newcomer is told by the invite, and takes no other's word. */
async function rostersOf(
  context: RoomContext,
  desk: RoomDesk,
  rooms: readonly RoomId[],
): Promise<InviteRoster[]> {
  const connection = await context.online(30_000);
  const rosters: InviteRoster[] = [];
  for (const id of rooms) {
    const roster = await publishRoster(context, connection, await desk.target(id));
    if (roster) rosters.push(roster);
  }
  return rosters;
}

interface InviteSecret extends InviteKeys {
  readonly secret: Uint8Array;
  /** Wall time, ms; 0 never. */
  readonly expiresAt: number;
}

async function newSecret(
  { clock }: RoomContext,
  { expiresInMs = 7 * dayMs }: InviteOptions,
): Promise<InviteSecret> {
  const secret = randomBytes(32);
  const expiresAt = expiresInMs === 0 ? 0 : clock.now() + expiresInMs;
  return { ...(await inviteKeys(secret)), secret, expiresAt };
}

/** Tells the server what it counts uses by. */
async function register(
  context: RoomContext,
  { serverToken, expiresAt }: InviteSecret,
  uses: number,
  grant: Uint8Array,
): Promise<void> {
  const connection = await context.online(30_000);
  const tokenHash = await sha256(serverToken);
  const value = { tokenHash, uses, expiresAtMs: BigInt(expiresAt), grant };
  await connection.request({ case: "createInvite", value }, "inviteCreated");
}

async function write(
  { profile, directory }: RoomContext,
  { secret, expiresAt }: InviteSecret,
  fields: Pick<Invite, "rooms" | "rosters" | "reset">,
): Promise<CreatedInvite> {
  const chain = directory.directory.user(profile.user)?.chain ?? [];
  const { logKey } = directory.trust;
  const made = makeInvite({
    ...profile.server,
    serverKeySha256: profile.serverKeySha256,
    ...(logKey ? { logKey } : {}),
    inviter: {
      user: profile.user,
      chainHead: fromHex(chain.at(-1) ?? toHex(new Uint8Array(32))),
      head: await directory.directory.head(),
    },
    suite: profile.suite,
    ...fields,
    secret,
    expiresAt,
  });
  return { ...made, expiresAt };
}
