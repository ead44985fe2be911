import type { DeviceId, MessageId, RoomId } from "@sotto/protocol";
import { textOf, utf8 } from "../bytes.ts";
import type { History } from "../history/history.ts";
import type { HistoryUnavailableEntry } from "../history/history-entry.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";

/** Records of a room that are remembered as not opened. */
export const keptAsideMax = 1000;
/** Sealed bytes of a room that wait for their epoch. */
const sealedBytesMax = 4 * 1024 * 1024;

/** A record that could not be opened. */
export interface Kept {
  readonly sequence: number;
  readonly device: DeviceId;
  readonly id: MessageId;
  /** The run that it is of: the sequence of the first of them. */
  readonly run: number;
  /** Its sender's device was asked for it. */
  readonly asked: boolean;
  /** Bytes that are kept because their epoch may come; 0 where none are. */
  readonly sealedBytes: number;
}

/** Records beside one another that one history entry tells of. */
interface Run {
  /** Place of that entry. */
  readonly order: string;
  /** Of the first that did not come, and of the last. */
  readonly sequence: number;
  readonly last: number;
  readonly count: number;
}

/** What a room holds and this device could not open, until it comes after all or is too much. */
export class KeptAside {
  readonly room: RoomId;
  readonly #kept = new Map<number, Kept>();
  readonly #runs = new Map<number, Run>();
  /** Sealed bytes that may not be in the store yet. */
  readonly #sealed = new Map<number, Uint8Array>();
  /** The run that the next record belongs to, where it follows at once. */
  #open: number | undefined;

  private constructor(room: RoomId) {
    this.room = room;
  }

  static async open(store: ProfileStore, room: RoomId): Promise<KeptAside> {
    const aside = new KeptAside(room);
    const kept = await store.scan("aside", { prefix: `${room}/m/`, limit: keptAsideMax });
    for (const { value } of kept) {
      const one = JSON.parse(textOf(value)) as Kept;
      aside.#kept.set(one.sequence, one);
    }
    const runs = await store.scan("aside", { prefix: `${room}/r/`, limit: keptAsideMax });
    for (const { key, value } of runs)
      aside.#runs.set(Number(key.slice(-16)), JSON.parse(textOf(value)) as Run);
    return aside;
  }

  all(): Kept[] {
    return [...this.#kept.values()];
  }

  /** Those that wait for their epoch, in the order of the room. */
  early(): Kept[] {
    return this.all()
      .filter(({ sealedBytes }) => sealedBytes > 0)
      .sort((a, b) => a.sequence - b.sequence);
  }

  /** The record at a sequence of the room. */
  at(sequence: number): Kept | undefined {
    return this.#kept.get(sequence);
  }

  find(device: DeviceId, id: MessageId): Kept | undefined {
    return this.all().find((kept) => kept.device === device && kept.id === id);
  }

  /** The sealed bytes of a record that waits for its epoch. */
  async sealed(store: ProfileStore, { sequence }: Kept): Promise<Uint8Array | undefined> {
    return this.#sealed.get(sequence) ?? (await store.get("aside", this.#key("s", sequence)));
  }

  /** Something of the room was shown: what cannot be opened after it is told of by an entry of its own. */
  endRun(): void {
    this.#open = undefined;
  }

  /** A record that cannot be opened becomes part of the run's entry. Answers the run. */
  tell(history: History, sequence: number): { run: number; changes: StoreChange[] } {
    const id = this.#open ?? sequence;
    const before = this.#runs.get(id);
    const run = {
      order: before?.order ?? "",
      sequence: before?.sequence ?? sequence,
      last: sequence,
      count: (before?.count ?? 0) + 1,
    };
    const changes = before ? [] : history.changesFor(this.#entry(sequence));
    this.#open = id;
    return {
      run: id,
      changes: [...changes, this.#putRun(id, { ...run, order: before?.order ?? history.last })],
    };
  }

  /**
   * Keeps a record aside, told of at `run`; its bytes too where `sealed` is given. `dropped` counts the
   * older ones that had to go for it.
   */
  keep(
    record: Pick<Kept, "sequence" | "device" | "id" | "run">,
    sealed: Uint8Array | undefined,
  ): { changes: StoreChange[]; dropped: number } {
    const kept: Kept = { ...record, asked: false, sealedBytes: sealed?.length ?? 0 };
    const changes: StoreChange[] = [this.#putKept(kept)];
    if (sealed) {
      this.#sealed.set(kept.sequence, sealed);
      changes.push({ table: "aside", key: this.#key("s", kept.sequence), value: sealed });
    }
    this.#kept.set(kept.sequence, kept);
    let dropped = 0;
    for (const old of this.all()) {
      const tooMany = this.#kept.size > keptAsideMax;
      const tooLarge = old.sealedBytes > 0 && this.#sealedBytes() > sealedBytesMax;
      if (!tooMany && !tooLarge) continue;
      changes.push(...this.#forget(old));
      dropped++;
    }
    return { changes, dropped };
  }

  /** A record came after all: its part of the run's entry goes. */
  async settle(history: History, kept: Kept): Promise<StoreChange[]> {
    const changes = this.#forget(kept);
    const run = this.#runs.get(kept.run);
    if (!run) return changes;
    const count = run.count - 1;
    if (count === 0) {
      this.#runs.delete(kept.run);
      if (this.#open === kept.run) this.#open = undefined;
      changes.push({ table: "aside", key: this.#key("r", kept.run), value: undefined });
      return [...changes, ...history.amend(run.order, undefined)];
    }
    if (kept.sequence !== run.sequence)
      return [...changes, this.#putRun(kept.run, { ...run, count })];
    // Its place is now the message's own: the entry moves to the next one that did not come.
    const others = this.all().filter((other) => other.run === kept.run);
    const sequence = Math.min(run.last, ...others.map((other) => other.sequence));
    const moved = await history.placed(this.#entry(sequence));
    const order = moved.find(({ table }) => table === "history")?.key ?? run.order;
    changes.push(this.#putRun(kept.run, { ...run, order, sequence, count }));
    return [...changes, ...history.amend(run.order, undefined), ...moved];
  }

  /** The change that notes a record as asked for. */
  asked(kept: Kept): StoreChange {
    const asked = { ...kept, asked: true };
    this.#kept.set(kept.sequence, asked);
    return this.#putKept(asked);
  }

  #forget({ sequence, sealedBytes }: Kept): StoreChange[] {
    this.#kept.delete(sequence);
    this.#sealed.delete(sequence);
    const changes: StoreChange[] = [
      { table: "aside", key: this.#key("m", sequence), value: undefined },
    ];
    if (sealedBytes > 0)
      changes.push({ table: "aside", key: this.#key("s", sequence), value: undefined });
    return changes;
  }

  #sealedBytes(): number {
    let sum = 0;
    for (const { sealedBytes } of this.#kept.values()) sum += sealedBytes;
    return sum;
  }

  #entry(sequence: number): HistoryUnavailableEntry {
    return { type: "history-unavailable", room: this.room, sequence, why: "cannot-open" };
  }

  #putKept(kept: Kept): StoreChange {
    const value = utf8(JSON.stringify(kept));
    return { table: "aside", key: this.#key("m", kept.sequence), value };
  }

  #putRun(id: number, run: Run): StoreChange {
    this.#runs.set(id, run);
    return { table: "aside", key: this.#key("r", id), value: utf8(JSON.stringify(run)) };
  }

  #key(kind: "m" | "r" | "s", at: number): string {
    return `${this.room}/${kind}/${String(at).padStart(16, "0")}`;
  }
}
