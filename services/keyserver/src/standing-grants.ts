import type { Clock } from "@sotto/clock";
import type { DirectoryStore } from "@sotto/directory";
import { decodeGrant } from "@sotto/identity";
import type { RoomId } from "@sotto/protocol";
import type { KeyserverLimits } from "./keyserver-limits.ts";

/** A grant that newcomers may still stand on. */
export interface StandingGrant {
  readonly rooms: readonly RoomId[];
  /** The SignedGrant, exact bytes. */
  readonly bytes: Uint8Array;
}

/**
 * The grants of all invites that stand, read once for everybody who asks within a moment. At most as many as
 * invites are kept (`limits.grantsMax`).
 */
export class StandingGrants {
  readonly #store: DirectoryStore;
  readonly #clock: Clock;
  readonly #limits: KeyserverLimits;
  #loaded: { readonly at: number; readonly grants: Promise<readonly StandingGrant[]> } | undefined;

  constructor(store: DirectoryStore, clock: Clock, limits: KeyserverLimits) {
    this.#store = store;
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Something was granted: the next question reads anew. */
  changed(): void {
    this.#loaded = undefined;
  }

  /** Grants that name one of `rooms`, newest first, as many as fit one answer. */
  async naming(rooms: ReadonlySet<RoomId>): Promise<Uint8Array[]> {
    const found: Uint8Array[] = [];
    let bytes = 0;
    for (const grant of await this.#all()) {
      if (!grant.rooms.some((room) => rooms.has(room))) continue;
      bytes += grant.bytes.length;
      if (bytes > this.#limits.grantAnswerBytesMax) break;
      found.push(grant.bytes);
    }
    return found;
  }

  #all(): Promise<readonly StandingGrant[]> {
    const now = this.#clock.monotonic();
    if (this.#loaded && now - this.#loaded.at < this.#limits.grantsFreshMs)
      return this.#loaded.grants;
    const loading = { at: now, grants: this.#load() };
    this.#loaded = loading;
    loading.grants.catch(() => {
      if (this.#loaded === loading) this.#loaded = undefined;
    });
    return loading.grants;
  }

  async #load(): Promise<readonly StandingGrant[]> {
    const invites = await this.#store.listInvites();
    const oldest = this.#clock.now() - this.#limits.grantKeptAfterExpiryMs;
    return invites
      .filter(({ expiresAt }) => expiresAt === 0 || expiresAt >= oldest)
      .toSorted((one, other) => other.createdAt - one.createdAt)
      .flatMap(({ grants: bytes }) => {
        const grant = bytes.length > 0 ? decodeGrant(bytes) : undefined;
        return grant ? [{ rooms: grant.rooms, bytes }] : [];
      });
  }
}
