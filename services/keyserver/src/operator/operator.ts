import type { DirectoryStore } from "@sotto/directory";
import { decodeGrant, inviteKeys, sha256Hex, standingDevices } from "@sotto/identity";
import { foldName, type RoomId, type UserId } from "@sotto/protocol";
import { announceDisabled, announceGrants } from "../announce.ts";
import type { Keyserver } from "../commands/command.ts";
import { makesOwner, newOwnerInvite } from "../owner-invite.ts";
import { OperatorError } from "./operator-error.ts";

export interface PersonReport {
  readonly user: UserId;
  readonly name: string;
  readonly owner: boolean;
  /** Wall time since when the account is off, ms; absent where it is on. */
  readonly disabledSince?: number;
  /** When the account was made, by its maker's clock, ms. */
  readonly createdAt: number;
  /** Devices that are not revoked. */
  readonly devices: number;
  readonly rooms: number;
}

/** How the server stands. */
export interface StatusReport {
  readonly directory: {
    /** Records. */
    readonly size: number;
    /** Merkle root over them, 32 bytes. */
    readonly root: Uint8Array;
    /** It takes no new records, because it lacks some that it has signed, or may. */
    readonly behind: boolean;
    /** How many records it has signed, where it holds fewer. */
    readonly signed?: number;
    /** Its store was seen to hold other bytes than it took. */
    readonly altered: boolean;
  };
}

export interface InviteReport {
  /** The first digits of the token's hash: enough to name the invite. */
  readonly id: string;
  /** A person's name, `operator`, or `owner` for what makes the first account. */
  readonly by: string;
  readonly createdAt: number;
  /** Wall time, ms; 0 never. */
  readonly expiresAt: number;
  readonly usesLeft: number;
  readonly rooms: readonly RoomId[];
}

/** An invite before it has an address. */
export interface OperatorInvite {
  readonly secret: Uint8Array;
  readonly expiresAt: number;
}

const idDigits = 12;
/** Who made it, in the store: not a user's id. */
const operatorName = "operator";

/**
 * What the one who operates the server may do: see who has an account, switch accounts off and on, make and revoke
 * invites. It opens no room and reads no message. Methods reject with `OperatorError`, or as the store does.
 */
export class Operator {
  readonly #server: Keyserver;

  constructor(server: Keyserver) {
    this.#server = server;
  }

  async status(): Promise<StatusReport> {
    const { state, standing } = this.#server;
    const lack = await standing.look().catch((error: unknown) => {
      if (!state.isAltered) throw error;
      return standing.lack;
    });
    return {
      directory: {
        ...(await state.directory.head()),
        behind: lack !== undefined,
        ...(lack?.kind === "records" ? { signed: lack.signed } : {}),
        altered: state.isAltered,
      },
    };
  }

  async people(): Promise<PersonReport[]> {
    const { state, disabled, store } = this.#server;
    await state.catchUp();
    const off = await disabled.all();
    return await Promise.all(
      state.directory.users().map(async (user) => {
        const since = off.get(user.id);
        return {
          user: user.id,
          name: user.name,
          owner: user.id === state.directory.owner,
          ...(since === undefined ? {} : { disabledSince: since }),
          createdAt: user.createdAt,
          devices: standingDevices(user).length,
          rooms: (await store.roomsOf(user.id)).length,
        };
      }),
    );
  }

  /** Switches an account off or on; answers whether that changed anything. */
  async setDisabled(name: string, off: boolean): Promise<{ name: string; changed: boolean }> {
    const { disabled, events } = this.#server;
    const user = await this.#person(name);
    const changed = await disabled.set(user.id, off);
    // Also where nothing changed: who was told last may not have heard it.
    await announceDisabled(this.#server);
    if (changed) events.accountSwitched(off);
    return { name: user.name, changed };
  }

  /** An invite for people whom a member lets into rooms afterwards: the operator is in none. */
  async invite(options: { uses: number; expiresInMs: number }): Promise<OperatorInvite> {
    const { store, clock } = this.#server;
    const secret = crypto.getRandomValues(new Uint8Array(32));
    const expiresAt = options.expiresInMs === 0 ? 0 : clock.now() + options.expiresInMs;
    const { serverToken } = await inviteKeys(secret);
    await store.putInvite({
      tokenHash: await sha256Hex(serverToken),
      createdBy: operatorName,
      createdAt: clock.now(),
      expiresAt,
      usesLeft: options.uses,
      grants: new Uint8Array(),
    });
    return { secret, expiresAt };
  }

  /** Another invite for the owner, while there is none. */
  async ownerInvite(): Promise<OperatorInvite> {
    const { state, standing, store, clock } = this.#server;
    if (state.isAltered)
      throw new OperatorError(
        "ALTERED",
        "this server's key directory was altered, its owner's record perhaps: see sotto-admin status",
      );
    if (await standing.look())
      throw new OperatorError(
        "BEHIND",
        "this server lacks records that it had, its owner's perhaps: see sotto-admin status",
      );
    const { owner } = state.directory;
    if (owner !== undefined) {
      const name = state.directory.user(owner)?.name;
      throw new OperatorError(
        "HAS_OWNER",
        `this server has its owner: ${name}; sotto-admin invite invites somebody else`,
      );
    }
    return { secret: await newOwnerInvite(store, clock.now()), expiresAt: 0 };
  }

  /** Invites that may still be used, oldest first. */
  async invites(): Promise<InviteReport[]> {
    const { store, clock, state } = this.#server;
    await state.catchUp();
    const now = clock.now();
    return (await store.listInvites())
      .filter(({ usesLeft, expiresAt }) => usesLeft > 0 && (expiresAt === 0 || expiresAt > now))
      .map((invite) => ({
        id: invite.tokenHash.slice(0, idDigits),
        by: makesOwner(invite)
          ? "owner"
          : (state.directory.user(invite.createdBy as UserId)?.name ?? operatorName),
        createdAt: invite.createdAt,
        expiresAt: invite.expiresAt,
        usesLeft: invite.usesLeft,
        rooms: decodeGrant(invite.grants)?.rooms ?? [],
      }));
  }

  /** Takes an invite back: nobody arrives with it any more, and who arrived already is let into no further room. */
  async revokeInvite(id: string): Promise<void> {
    const { store } = this.#server;
    const found = await invitesNamed(store, id);
    const [invite] = found;
    if (!invite) throw new OperatorError("UNKNOWN_INVITE", `there is no invite ${id}`);
    if (found.length > 1)
      throw new OperatorError("UNKNOWN_INVITE", `${id} names several invites: give more digits`);
    await store.deleteInvite(invite.tokenHash);
    announceGrants(this.#server, decodeGrant(invite.grants)?.rooms ?? []);
  }

  async #person(name: string) {
    const { state } = this.#server;
    await state.catchUp();
    const folded = foldedName(name);
    const user = folded && state.directory.userByName(folded);
    if (!user)
      throw new OperatorError(
        "UNKNOWN_PERSON",
        `nobody here is called ${name}; sotto-admin people lists everybody`,
      );
    return user;
  }
}

function foldedName(name: string) {
  try {
    return foldName(name);
  } catch {
    return undefined;
  }
}

async function invitesNamed(store: DirectoryStore, id: string) {
  if (!/^[0-9a-f]{4,64}$/.test(id)) return [];
  return (await store.listInvites()).filter(({ tokenHash }) => tokenHash.startsWith(id));
}
