import { fromBinary } from "@bufbuild/protobuf";
import type { Bus, BusSubscription } from "@sotto/bus";
import {
  type ConfirmResponse,
  DirectoryHintSchema,
  DisabledHintSchema,
  GrantsHintSchema,
  RosterChangeSchema,
  type RosterChange as RosterHint,
  subjects,
} from "@sotto/interservice";
import {
  CloseCode,
  fromHex,
  parseDeviceId,
  parseRoomId,
  parseUserId,
  toSafeNumber,
} from "@sotto/protocol";
import type { ConnectedDevices } from "../connection/connected-devices.ts";
import type { Connection } from "../connection/connection.ts";
import type { Connections } from "../connection/connections.ts";
import { eventFrame } from "../connection/frames.ts";
import type { Rooms } from "./rooms.ts";
import type { Rosters } from "./rosters.ts";

export interface HintsOptions {
  readonly bus: Bus;
  readonly rosters: Rosters;
  readonly rooms: Rooms;
  readonly devices: ConnectedDevices;
  readonly connections: Iterable<Connection> & Pick<Connections, "sendBack">;
}

/**
 * What the keyserver says has changed, whether by a hint at once or by a confirmation at the
 * latest: rosters to ask for, devices to cut off, a directory that grew, grants to look at.
 */
export class Hints implements AsyncDisposable {
  readonly #options: HintsOptions;
  #directorySize = 0n;
  /** Users who are switched off, as told last; undefined before anything was told. */
  #disabled: string | undefined;
  /** Replicas of the keyserver find an altered store out one after the other: the first is believed for good. */
  #altered = false;
  #heard: BusSubscription[] = [];

  private constructor(options: HintsOptions) {
    this.#options = options;
  }

  static async start(options: HintsOptions): Promise<Hints> {
    const { bus } = options;
    const hints = new Hints(options);
    hints.#heard = [
      await bus.subscribe(subjects.hintRoster, ({ data }) =>
        hints.#rosterChanged(fromBinary(RosterChangeSchema, data)),
      ),
      await bus.subscribe(subjects.hintDirectory, ({ data }) => {
        const hint = fromBinary(DirectoryHintSchema, data);
        hints.#directoryGrew(hint.size, hint.revokedDevices);
        if (hint.altered) hints.#storeAltered();
      }),
      await bus.subscribe(subjects.hintDisabled, ({ data }) =>
        hints.#disabledChanged(fromBinary(DisabledHintSchema, data).users),
      ),
      await bus.subscribe(subjects.hintGrants, ({ data }) =>
        hints.#grantsChanged(fromBinary(GrantsHintSchema, data).rooms),
      ),
    ];
    return hints;
  }

  /** A confirmation came: what its hints may have failed to tell. Rejects where rosters cannot be loaded. */
  async confirmed(response: ConfirmResponse): Promise<void> {
    this.#directoryGrew(response.directorySize, response.revokedDevices);
    this.#disabledChanged(response.disabledUsers);
    for (const change of response.changes) this.#rosterChanged(change);
    if (response.altered) this.#storeAltered();
    if (response.reset) await this.#options.rosters.reload();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#heard.map((subscription) => subscription[Symbol.asyncDispose]()));
  }

  #rosterChanged(change: RosterHint): void {
    const { rosters, rooms } = this.#options;
    const room = parseRoomId(change.room);
    const known = rosters.get(room);
    const concernsSomebody =
      known !== undefined || change.users.some((user) => rosters.isLocal(parseUserId(user)));
    if (!concernsSomebody) return;
    const handshake = toSafeNumber(change.handshake);
    if ((known?.foldedTo ?? -1) >= handshake) return;
    if (rooms.isRead(room)) rooms.expect(room, handshake);
    else void rosters.refresh(room).catch(() => undefined);
  }

  #directoryGrew(size: bigint, revoked: readonly Uint8Array[]): void {
    for (const bytes of revoked) {
      for (const connection of [...this.#options.devices.ofDevice(parseDeviceId(bytes))]) {
        connection.end(CloseCode.DEVICE_REVOKED, "this device was revoked");
      }
    }
    if (size <= this.#directorySize) return;
    this.#directorySize = size;
    const frame = eventFrame({ case: "directoryGrew", value: { size } });
    for (const connection of this.#options.connections) connection.tell(frame);
  }

  #disabledChanged(users: readonly Uint8Array[]): void {
    const { devices, connections } = this.#options;
    const disabled = users.map((user) => parseUserId(user));
    for (const user of disabled) {
      for (const connection of [...devices.ofUser(user)])
        connection.end(CloseCode.ACCOUNT_DISABLED, "the server's operator disabled this account");
    }
    const known = disabled.toSorted().join();
    if (known === this.#disabled) return;
    const first = this.#disabled === undefined;
    this.#disabled = known;
    if (first) return;
    const frame = eventFrame({ case: "disabledChanged", value: {} });
    for (const connection of connections) connection.tell(frame);
  }

  /** Who is logged in has looked at another directory than the one of now. */
  #storeAltered(): void {
    if (this.#altered) return;
    this.#altered = true;
    this.#options.connections.sendBack("the server's key directory was altered: look at it anew");
  }

  #grantsChanged(rooms: readonly Uint8Array[]): void {
    const { rosters, devices } = this.#options;
    for (const bytes of rooms) {
      const room = parseRoomId(bytes);
      const frame = eventFrame({ case: "grantsChanged", value: { rooms: [fromHex(room)] } });
      for (const user of rosters.usersOf(room)) {
        for (const connection of devices.ofUser(user)) connection.tell(frame);
      }
    }
  }
}
