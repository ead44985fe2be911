import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Bus, BusSubscription } from "@sotto/bus";
import { SignalMessageSchema, subjects } from "@sotto/interservice";
import {
  type DeviceId,
  fromHex,
  parseDeviceId,
  parseRoomId,
  type RoomId,
  type SignalKind,
  toHex,
  type UserId,
} from "@sotto/protocol";
import { eventFrame } from "../connection/frames.ts";

export interface SignalsOptions {
  readonly bus: Bus;
  /** Gives the frame to everybody here who reads the room, but to no connection of `sender`. */
  readonly forward: (room: RoomId, sender: DeviceId, frame: Uint8Array) => void;
}

/** Typing and the like, between the edges, over the bus only: what is lost is lost. */
export class Signals implements AsyncDisposable {
  readonly #bus: Bus;
  #heard: BusSubscription | undefined;

  private constructor(bus: Bus) {
    this.#bus = bus;
  }

  static async start({ bus, forward }: SignalsOptions): Promise<Signals> {
    const signals = new Signals(bus);
    signals.#heard = await bus.subscribe(subjects.signal("*"), (message) => {
      const { room, user, device, kind } = fromBinary(SignalMessageSchema, message.data);
      const frame = eventFrame({ case: "signalReceived", value: { room, user, device, kind } });
      forward(parseRoomId(toHex(room)), parseDeviceId(device), frame);
    });
    return signals;
  }

  publish(room: RoomId, user: UserId, device: DeviceId, kind: SignalKind): void {
    const message = create(SignalMessageSchema, {
      room: fromHex(room),
      user: fromHex(user),
      device: fromHex(device),
      kind,
    });
    this.#bus.publish(subjects.signal(room), toBinary(SignalMessageSchema, message));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#heard?.[Symbol.asyncDispose]();
  }
}
