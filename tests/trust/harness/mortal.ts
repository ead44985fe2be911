import { decodeEnvelope } from "@sotto/identity";
import { EnvelopeKind, RecordKind, type Record as RecordMessage, toHex } from "@sotto/protocol";
import { type Joined, until } from "../../scenarios/world.ts";
import { DyingStore } from "./dying-store.ts";
import type { HostileWorld } from "./hostile-world.ts";
import { type RequestBody, Wire } from "./wire.ts";

/** Somebody whose process may end at any write, and is started again. */
export class Mortal {
  readonly name: string;
  readonly store: DyingStore;
  /** Everything sealed that left the device, by its bytes. */
  readonly left = new Map<string, Uint8Array>();
  /** Texts that the server acknowledged. */
  readonly acknowledged: string[] = [];
  /** The next so many messages come in a way that they cannot be opened. */
  spoil = 0;
  readonly #hostile: HostileWorld;
  readonly #repairs: boolean;
  readonly #wire = new Wire();
  #joined: Joined | undefined;

  /** `repairs`: whether it can come back into a room whose group it lost. */
  constructor(
    hostile: HostileWorld,
    name: string,
    store: DyingStore = new DyingStore(),
    repairs = true,
  ) {
    this.store = store;
    this.#repairs = repairs;
    this.#hostile = hostile;
    this.name = name;
    this.#wire.tampering = {
      request: (body) => {
        if (this.store.dead || (!this.#repairs && comesBack(body))) return "lost";
        if (body.case === "append")
          this.left.set(toHex(body.value.sealed ?? []), body.value.sealed ?? new Uint8Array());
        return undefined;
      },
      record: (record) => (this.store.dead ? [] : [this.#spoiled(record)]),
    };
  }

  /** The present life. */
  get now(): Joined {
    if (!this.#joined) throw new Error(`${this.name} has not joined`);
    return this.#joined;
  }

  async join(): Promise<void> {
    const options = { store: this.store.life(), transport: this.#wire, random: () => 0 };
    this.#joined = await this.#hostile.world.person(this.name, options);
  }

  /** Ends this life, where it has not ended, and begins the next one. `meanwhile` sees what is on the disk. */
  async again(meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    await this.now.client[Symbol.asyncDispose]().catch(() => {});
    await meanwhile();
    for (;;) {
      const options = { transport: this.#wire, random: () => 0 };
      try {
        this.#joined = await this.#hostile.world.open(this.name, this.store.life(), options);
        return;
      } catch (error) {
        if (!this.store.dead) throw error;
      }
    }
  }

  /** Does a step. One during which the process ends is not done again: it goes on with the next. */
  async step(what: () => Promise<unknown>): Promise<void> {
    let settled = false;
    const failed = what().then(
      () => undefined,
      (error: unknown) => error,
    );
    void failed.then(() => {
      settled = true;
    });
    await until(`a step is done or ${this.name} dead`, () => settled || this.store.dead, 20_000);
    if (this.store.dead) return await this.again();
    const error = await failed;
    if (error) throw error;
  }

  async say(room: string, text: string): Promise<void> {
    await this.now.client.send(room, text);
    this.acknowledged.push(text);
  }

  #spoiled(record: RecordMessage): RecordMessage {
    if (record.kind !== RecordKind.MESSAGE || this.spoil === 0) return record;
    this.spoil--;
    const data = record.data.slice();
    data[data.length - 1] = (data.at(-1) ?? 0) ^ 1;
    return { ...record, data };
  }
}

function comesBack(body: RequestBody): boolean {
  return body.case === "commit" && decodeEnvelope(body.value.envelope).kind === EnvelopeKind.REJOIN;
}
