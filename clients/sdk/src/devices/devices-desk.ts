import { revokeDeviceRecord } from "@sotto/identity";
import type { DeviceId } from "@sotto/protocol";
import type { Archive } from "../archive/archive.ts";
import { SottoClientError } from "../errors.ts";
import type { RoomContext } from "../rooms/room-context.ts";
import type { Rooms } from "../rooms/rooms.ts";
import { Link } from "./give-link.ts";
import { revokeLostDevices } from "./lost-devices.ts";
import { submitRecord } from "./own-chain.ts";
import { RecoveryDesk } from "./recovery-desk.ts";

/** One of the person's own devices. */
export interface OwnDevice {
  /** Its id. */
  readonly device: DeviceId;
  readonly name: string;
  /** True for the device that this client is. */
  readonly current: boolean;
  /** True where it was taken out for good. */
  readonly revoked: boolean;
  /** When its record was made, by its maker's clock, ms. */
  readonly added: number;
}

/** The devices of this client's own person: which there are, adding one, revoking one. */
export class DevicesDesk {
  /** Words on paper that bring all of it back. */
  readonly recovery: RecoveryDesk;
  readonly #context: RoomContext;
  readonly #rooms: Rooms;
  readonly #archive: Archive;
  #revoking: Promise<number> | undefined;

  constructor(context: RoomContext, rooms: Rooms, archive: Archive) {
    this.#context = context;
    this.#rooms = rooms;
    this.#archive = archive;
    this.recovery = new RecoveryDesk(context, archive);
  }

  /**
   * Ends a recovery where one was begun on this device: once it is in its rooms, the lost devices are revoked.
   * Resolves with how many were.
   */
  async revokeLost(): Promise<number> {
    this.#revoking ??= revokeLostDevices(this.#context, this.#rooms).catch((error) => {
      this.#revoking = undefined;
      throw error;
    });
    return await this.#revoking;
  }

  /** All devices that ever were, in the order in which they came. */
  async list(): Promise<OwnDevice[]> {
    const { directory, profile } = this.#context;
    const devices = directory.directory.user(profile.user)?.devices ?? [];
    const refusal = this.#context.refusal();
    // The record of it is not given to a device that is out.
    const isOut = refusal instanceof SottoClientError && refusal.code === "REVOKED";
    return await Promise.all(
      devices
        .filter(({ kind }) => kind === "device")
        .map(async ({ id, name, revokedAt, addedAt }) => ({
          device: id,
          name,
          current: id === profile.device,
          revoked: revokedAt !== undefined || (isOut && id === profile.device),
          added: (await directory.record(addedAt)).iat,
        })),
    );
  }

  /**
   * Hands over what happened to the account and nobody was told yet, oldest first, each once; the newest 20 of them.
   * What `tell` rejects on is told the next time.
   */
  async tellAlerts(tell: (text: string) => Promise<void>): Promise<void> {
    await this.#context.notices.tellAlerts(tell);
  }

  /** Begins to link a further device: the answer holds the code to show it. Rejects with NOT_REACHABLE, DIRECTORY_FORK, DIRECTORY_WITHHELD. */
  async link(): Promise<Link> {
    return await Link.open(this.#context, this.#archive);
  }

  /** One device by its id, the beginning of it, or its name. Rejects with UNKNOWN_DEVICE. */
  async find(idOrName: string): Promise<OwnDevice> {
    const all = await this.list();
    const called = all.filter(({ name }) => name === idOrName);
    const standing = called.filter(({ revoked }) => !revoked);
    const named = standing.length > 0 ? standing : called;
    const matches = /^[0-9a-f]{4,32}$/.test(idOrName)
      ? all.filter(({ device }) => device.startsWith(idOrName))
      : named;
    const [found, another] = matches.length > 0 ? matches : named;
    if (found && !another) return found;
    throw new SottoClientError(
      "UNKNOWN_DEVICE",
      another
        ? `several of your devices match ${idOrName}; use the id that 'sotto devices' shows`
        : `you have no device ${idOrName}; 'sotto devices' lists them`,
    );
  }

  /**
   * Revokes one of the own devices: the server closes its connection, rooms take it out. Rejects with
   * UNKNOWN_DEVICE, and with REFUSED for a device that is revoked already, or for this very one without
   * `evenThisOne`.
   */
  async revoke(idOrName: string, options: { evenThisOne?: boolean } = {}): Promise<OwnDevice> {
    const { profile, signKey } = this.#context;
    const device = await this.find(idOrName);
    if (device.revoked) throw new SottoClientError("REFUSED", `${device.name} is revoked already`);
    if (device.current && options.evenThisOne !== true) {
      throw new SottoClientError(
        "REFUSED",
        "that is this very device: it would never speak again. To do that nevertheless add --yes",
      );
    }
    const by = { device: profile.device, signer: signKey };
    try {
      await submitRecord(this.#context, (place) => revokeDeviceRecord(place, device.device, by));
    } catch (error) {
      // Cut off before the answer came: that is what was asked for.
      if (!device.current || !this.#context.refusal()) throw error;
    }
    return { ...device, revoked: true };
  }
}
