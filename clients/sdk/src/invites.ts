import { createGrant, inviteKeys, makeInvite } from "@sotto/identity";
import { fromHex, toHex } from "@sotto/protocol";
import { randomBytes, sha256 } from "./bytes.ts";
import type { RoomDesk } from "./room-desk.ts";
import type { RoomContext } from "./rooms/room-context.ts";

export interface InviteOptions {
  /** Rooms by id or name. Default: `general`. */
  readonly rooms?: readonly string[];
  /** How many people may use it. Default 1. */
  readonly uses?: number;
  /** How long it is good for, ms; 0 for ever. Default 7 days. */
  readonly expiresInMs?: number;
}

export interface CreatedInvite {
  /** `sotto://…`, for the terminal. */
  readonly invite: string;
  /** `https://…`, for people who click. */
  readonly link: string;
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
  options: InviteOptions,
): Promise<CreatedInvite> {
  const { profile, clock, directory, signKey } = context;
  const rooms = (options.rooms ?? ["general"]).map((room) => desk.find(room).room);
  const expiresInMs = options.expiresInMs ?? 7 * dayMs;
  const expiresAt = expiresInMs === 0 ? 0 : clock.now() + expiresInMs;
  const secret = randomBytes(32);
  const { serverToken, inviteKey } = await inviteKeys(secret);
  const grant = await createGrant(
    { inviter: profile, inviteKey: inviteKey.publicKey, rooms, expiresAt },
    signKey,
  );
  const connection = await context.online(30_000);
  const tokenHash = await sha256(serverToken);
  const value = { tokenHash, uses: options.uses ?? 1, expiresAtMs: BigInt(expiresAt), grant };
  await connection.request({ case: "createInvite", value }, "inviteCreated");
  const chain = directory.directory.user(profile.user)?.chain ?? [];
  const { logKey } = directory.trust;
  const made = makeInvite({
    host: profile.server.host,
    port: profile.server.port,
    serverKeySha256: profile.serverKeySha256,
    ...(logKey ? { logKey } : {}),
    inviter: { user: profile.user, chainHead: fromHex(chain.at(-1) ?? toHex(new Uint8Array(32))) },
    suite: profile.suite,
    rooms,
    secret,
    expiresAt,
  });
  return { ...made, expiresAt };
}
