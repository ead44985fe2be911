import { create } from "@bufbuild/protobuf";
import type { Timer } from "@sotto/clock";
import { HistoryShareSchema, type MediaManifest } from "@sotto/protocol/content";
import { mayPass } from "../errors.ts";
import { shareObject } from "../media/share-media.ts";
import { parsePolicy } from "../rooms/policy.ts";
import type { Room } from "../rooms/room.ts";
import { areBounded, gatherBundles } from "./bundles.ts";
import { takeShare } from "./take-share.ts";
import { isOwed, keptShare } from "./telling.ts";

/** Whoever lets somebody in tells them at once; the others give it this long, and more by chance. */
const patienceMs = 8000;
/** Where nobody could tell, it is tried again, less and less often. */
const retryMsMax = 600_000;
/** What a newcomer waits for at most before it says that it knows the room. */
const expectMs = 3000;

/**
 * One room's history for those who come: tells newcomers, where the room's policy is `all`, and takes in
 * what was told to this device. Nobody else shows anything of it.
 */
export class HistoryTelling {
  readonly #room: Room;
  #timer: Timer | undefined;
  #telling = false;
  #taking = false;
  /** The share that could not be taken in: another one may fare better. */
  #refusedAt = 0;
  #failures = 0;
  #expectUntil = 0;
  #missingBefore: number;

  constructor(room: Room) {
    this.#room = room;
    this.#missingBefore = room.replica.state.telling.missing;
  }

  /** True while this device is being told what was said before it came, or may be any moment. */
  get expecting(): boolean {
    const { telling } = this.#room.replica.state;
    if (telling.missing === 0 || !this.#passesOn()) return false;
    if (this.#taking) return true;
    const { clock } = this.#room.replica.context;
    return clock.monotonic() < this.#expectUntil;
  }

  /** This device has let somebody in. */
  arrived(): void {
    this.#later(0);
  }

  /** The room went on, or a new connection is there. */
  wake(): void {
    const { replica } = this.#room;
    const { context, state } = replica;
    const { missing } = state.telling;
    if (missing > this.#missingBefore) this.#expect(missing);
    if (missing > 0 && replica.caughtUp) void this.#take();
    if (this.#timer || !this.#isDue()) return;
    this.#later((1 + context.random()) * patienceMs);
  }

  /** This device has just come in: whoever let it in is about to tell it. */
  #expect(missing: number): void {
    const { replica } = this.#room;
    const { clock } = replica.context;
    this.#missingBefore = missing;
    this.#expectUntil = clock.monotonic() + expectMs;
    clock.after(expectMs, () => replica.onAdvanced());
  }

  close(): void {
    this.#timer?.cancel();
  }

  #later(waitMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#room.replica.context.clock.after(waitMs, () => {
      this.#timer = undefined;
      void this.#tell();
    });
  }

  #passesOn(): boolean {
    const { group } = this.#room.replica;
    return group !== undefined && parsePolicy(group.policy).history === "all";
  }

  #isDue(): boolean {
    const { caughtUp, context, state } = this.#room.replica;
    // Nothing is sealed by a directory that is not believed.
    if (context.directory.refusal()) return false;
    // Who lacks it cannot tell it.
    const knows = state.telling.missing === 0;
    return (
      caughtUp && state.phase === "active" && knows && isOwed(state.telling) && this.#passesOn()
    );
  }

  async #tell(): Promise<void> {
    const { context, state } = this.#room.replica;
    if (this.#telling || !this.#isDue()) return;
    this.#telling = true;
    try {
      const upTo = state.cursor;
      const bundles = await this.#bundles(upTo);
      // Somebody else may have told them meanwhile.
      if (bundles.length === 0 || !this.#isDue()) return;
      const value = create(HistoryShareSchema, { bundles, upTo: BigInt(upTo) });
      await this.#room.say({ case: "historyShare", value });
      this.#failures = 0;
    } catch (error) {
      if (context.signal.aborted) return;
      this.#failures++;
      if (!mayPass(error) && this.#failures === 1)
        context.notice(state.room, `newcomers could not be told the history: ${describe(error)}`);
      this.#later(Math.min(retryMsMax, patienceMs * 2 ** this.#failures));
    } finally {
      this.#telling = false;
    }
    // Somebody may have come meanwhile.
    this.wake();
  }

  /** Earlier bundles and what came since; all anew where there would be too many, or where there are none. */
  async #bundles(upTo: number): Promise<MediaManifest[]> {
    const { context, room, state } = this.#room.replica;
    const { store } = context;
    const earlier = (await keptShare(store, room))?.share.bundles ?? [];
    const after = earlier.length > 0 ? state.telling.told : 0;
    const fresh = await gatherBundles(store, room, after, upTo);
    const sizes = [...earlier.map(({ plainBytes }) => Number(plainBytes)), ...fresh.map(lengthOf)];
    if (areBounded(sizes)) return [...earlier, ...(await this.#seal(fresh))];
    return await this.#seal(await gatherBundles(store, room, 0, upTo));
  }

  async #seal(bundles: readonly Uint8Array[]): Promise<MediaManifest[]> {
    const manifests: MediaManifest[] = [];
    for (const bytes of bundles)
      manifests.push(await shareObject(this.#room.replica.context, this.#room, bytes, "history"));
    return manifests;
  }

  async #take(): Promise<void> {
    const { replica } = this.#room;
    const { context, state } = replica;
    if (this.#taking) return;
    this.#taking = true;
    let sequence = 0;
    try {
      const kept = await keptShare(context.store, replica.room);
      if (!kept || kept.sequence <= state.telling.missing || kept.sequence === this.#refusedAt)
        return;
      sequence = kept.sequence;
      await takeShare(replica, kept);
      await replica.exclusive(async () => {
        state.telling = { ...state.telling, missing: 0 };
        // Where whoever let this device in went away, nobody has told it what the room is called.
        state.title ||= (await context.history.title(replica.room)) ?? "";
        await replica.persist([], false);
      });
    } catch (error) {
      if (context.signal.aborted) return;
      // The room may be quiet from here on: nothing else would wake it.
      if (mayPass(error)) return void context.clock.after(patienceMs, () => this.wake());
      this.#refusedAt = sequence;
      context.notice(replica.room, `what was said before is not here: ${describe(error)}`);
    } finally {
      this.#taking = false;
    }
    // Whoever waits for it looks again.
    if (state.telling.missing === 0) replica.onAdvanced();
  }
}

function lengthOf({ length }: Uint8Array): number {
  return length;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
