import { fromHex } from "@sotto/protocol";
import type { MissedMessage } from "@sotto/protocol/content";
import type { StoreChange } from "../ports/profile-store.ts";
import { missedMax } from "./again.ts";
import { draftMessage } from "./draft-message.ts";
import type { RoomReplica } from "./room-replica.ts";

/** Wait before the first question; doubled with every question that brought nothing. */
const waitMs = 500;
const waitMsMax = 3_600_000;

/**
 * Asks the devices whose messages this one could not open, or never got, to say them again: once for each
 * message, after the room was read to its head, several in one question.
 */
export class AskAgain {
  readonly #room: RoomReplica;
  readonly #sent: () => void;
  #waiting = false;
  #unanswered = 0;
  /** Asked for, and not there yet. */
  #open = 0;

  /** `sent` is called when a question is in the outbox. */
  constructor(room: RoomReplica, sent: () => void) {
    this.#room = room;
    this.#sent = sent;
  }

  /** Asks a while from now, where there is something to ask for. */
  wake(): void {
    this.#noteAnswers();
    if (this.#waiting || !this.#canAsk() || this.#owed().length === 0) return;
    this.#waiting = true;
    const { clock, random } = this.#room.context;
    const baseMs = Math.min(waitMsMax, waitMs * 2 ** this.#unanswered);
    clock.after(baseMs * (0.5 + random()), () => {
      this.#waiting = false;
      void this.#ask().catch(() => {});
    });
  }

  /** Something that was asked for came: the next question need not wait longer. */
  #noteAnswers(): void {
    const { aside, chains } = this.#room;
    const gaps = [...chains.all().values()].flatMap((chain) => chain.gaps);
    const open =
      aside.all().filter(({ asked }) => asked).length +
      gaps.reduce((sum, { asked, missing }) => sum + (asked ? missing.length : 0), 0);
    if (open < this.#open) this.#unanswered = 0;
    this.#open = open;
  }

  #canAsk(): boolean {
    return this.#room.caughtUp && this.#room.state.phase === "active";
  }

  async #ask(): Promise<void> {
    if (this.#room.context.signal.aborted) return;
    await this.#room.exclusive(async () => {
      if (!this.#canAsk()) return;
      const owed = this.#owed().slice(0, missedMax);
      if (owed.length === 0) return;
      const { context, state } = this.#room;
      const missed = owed.map(({ message }) => message);
      const body = { $typeName: "sotto.v1.AskAgain" as const, missed };
      const draft = await draftMessage(context, state, { case: "askAgain", value: body });
      const noted = owed.flatMap(({ note }) => note());
      await context.store.commit([...draft.changes, ...noted]);
      context.outbox.remember(draft.entry);
      this.#unanswered++;
      this.#sent();
    });
    this.wake();
  }

  /** What was not asked for yet, of devices that are in the room. */
  #owed(): { message: MissedMessage; note: () => StoreChange[] }[] {
    const { aside, chains, state, context } = this.#room;
    const present = state.roster?.devices;
    const owed: { message: MissedMessage; note: () => StoreChange[] }[] = [];
    const none = { $typeName: "sotto.v1.MissedMessage" as const, id: new Uint8Array() };
    for (const kept of aside.all()) {
      if (kept.asked || kept.device === context.profile.device || !present?.has(kept.device))
        continue;
      const device = fromHex(kept.device);
      const sequence = BigInt(kept.sequence);
      const message = { ...none, device, id: fromHex(kept.id), sequence, senderSequence: 0n };
      owed.push({ message, note: () => [aside.asked(kept)] });
    }
    for (const [device, { gaps }] of chains.all()) {
      if (!present?.has(device)) continue;
      for (const { order, missing, asked } of gaps) {
        if (asked) continue;
        for (const number of missing) {
          const senderSequence = BigInt(number);
          const message = { ...none, device: fromHex(device), sequence: 0n, senderSequence };
          owed.push({ message, note: () => chains.asked(device, order) });
        }
      }
    }
    return owed;
  }
}
