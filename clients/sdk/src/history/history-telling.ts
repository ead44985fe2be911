import { create } from "@bufbuild/protobuf";
import type { Timer } from "@sotto/clock";
import { HistoryShareSchema, type MediaManifest } from "@sotto/protocol/content";
import { describe, mayPass } from "../errors.ts";
import { shareObject } from "../media/share-media.ts";
import { parsePolicy } from "../rooms/policy.ts";
import type { Room } from "../rooms/room.ts";
import { areBounded, gatherBundles } from "./bundles.ts";
import { allStand, OwnBundles } from "./own-bundles.ts";
import { takeShare } from "./take-share.ts";
import {
  afterJudging,
  coveredBy,
  goodShare,
  goodShareChange,
  isOwed,
  type KeptShare,
  keptShares,
  shareChange,
} from "./telling.ts";

/** Whoever lets somebody in tells them at once; the others give it this long, and more by chance. */
const patienceMs = 8000;
/** Where nobody could tell, it is tried again, less and less often. */
const retryMsMax = 600_000;
const nothing: Timer = { cancel: () => {} };

/** What a newcomer waits for at most before it says that it knows the room. */
const expectMs = 3000;

/**
 * One room's history for those who come: tells newcomers, where the room's policy is `all`, and takes in
 * what was told to this device. Nobody else shows anything of it.
 */
export class HistoryTelling {
  readonly #room: Room;
  readonly #own: OwnBundles;
  #cleaning: Timer | undefined;
  #judging = false;
  /** The last share that this device has looked at for what it lacks. */
  #takenUpTo = -1;
  #timer: Timer | undefined;
  #telling = false;
  #taking = false;
  #failures = 0;
  #expectUntil = 0;
  #missingBefore: number;

  constructor(room: Room) {
    this.#room = room;
    this.#own = new OwnBundles(room.replica.context, room.replica.room);
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
    if (replica.caughtUp) {
      if (enteredAt(replica) > 0 && state.telling.last > this.#takenUpTo) void this.#take();
      if (state.telling.last > state.telling.judged) void this.#judge();
      else if (state.telling.last > 0 && !this.#cleaning) void this.#clean();
    }
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
    this.#cleaning?.cancel();
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

  /**
   * Earlier bundles and what came since; all anew where there would be too many, where there are none, or where those who
   * came were told less.
   */
  async #bundles(upTo: number): Promise<MediaManifest[]> {
    const { context, room, state } = this.#room.replica;
    const { store } = context;
    const good = state.telling.short ? undefined : await goodShare(store, room);
    const earlier = good?.share.bundles ?? [];
    if (good && earlier.length > 0 && (await allStand(context, room, earlier))) {
      const fresh = await gatherBundles(store, room, coveredBy(good), upTo);
      const sizes = [...sizesOf(good), ...fresh.map(lengthOf)];
      if (areBounded(sizes)) return [...earlier, ...(await this.#seal(fresh))];
    }
    return await this.#seal(await gatherBundles(store, room, 0, upTo));
  }

  async #seal(bundles: readonly Uint8Array[]): Promise<MediaManifest[]> {
    const manifests: MediaManifest[] = [];
    for (const bytes of bundles) {
      const { context } = this.#room.replica;
      const manifest = await shareObject(context, this.#room, bytes, "history");
      await this.#own.add(manifest);
      manifests.push(manifest);
    }
    return manifests;
  }

  /**
   * Holds what others told newcomers against what this device would tell them: whoever tells less, or nothing, does not
   * end it. What is named is only compared by its size; that it is what it says shows to who takes it.
   */
  async #judge(): Promise<void> {
    const { replica } = this.#room;
    const { context, room, state } = replica;
    const { store, profile } = context;
    // Who lacks something, or is told something, cannot say what is lacking.
    if (this.#judging || this.#taking || state.telling.missing > 0 || !this.#passesOn()) return;
    this.#judging = true;
    try {
      const shares = await keptShares(store, room);
      const fresh = shares.filter(({ sequence }) => sequence > state.telling.judged).reverse();
      for (const kept of fresh) {
        const holdsAll = kept.sender === profile.user || (await this.#holdsAll(kept));
        await replica.exclusive(async () => {
          state.telling = afterJudging(state.telling, kept, holdsAll);
          const changes = holdsAll ? [goodShareChange(room, kept)] : [];
          await replica.persist(changes, false);
        });
      }
      if (fresh.length > 0) await this.#clean();
    } catch (error) {
      if (context.signal.aborted) return;
      context.notice(room, `what newcomers were told was not looked at: ${describe(error)}`);
      return;
    } finally {
      this.#judging = false;
    }
    if (!this.#timer && this.#isDue()) this.#later((1 + context.random()) * patienceMs);
  }

  async #holdsAll(kept: KeptShare): Promise<boolean> {
    const { context, room } = this.#room.replica;
    const own = await gatherBundles(context.store, room, 0, coveredBy(kept));
    const sum = (sizes: readonly number[]) => sizes.reduce((all, size) => all + size, 0);
    return sum(sizesOf(kept)) >= sum(own.map(lengthOf));
  }

  /** Deletes the bundles of this device that no share needs any more, now and later. */
  async #clean(): Promise<void> {
    const { context, room } = this.#room.replica;
    const { store, clock, signal } = context;
    this.#cleaning?.cancel();
    // Nothing to do until it is known what there is.
    this.#cleaning = nothing;
    try {
      const standing = (await goodShare(store, room))?.share.bundles ?? [];
      const waitMs = await this.#own.clean(standing).catch(() => retryMsMax);
      if (waitMs !== undefined && !signal.aborted)
        this.#cleaning = clock.after(waitMs, () => void this.#clean());
    } catch {
      // A store that fails says so elsewhere; the next start looks again.
    }
  }

  async #take(): Promise<void> {
    const { replica } = this.#room;
    const { context, state, room } = replica;
    if (this.#taking) return;
    this.#taking = true;
    const upTo = state.telling.last;
    let refusal: unknown;
    try {
      // The newest first. Of each member one: who tells less than another takes nothing away.
      for (const kept of await keptShares(context.store, room)) {
        if (kept.taken || kept.sequence <= enteredAt(replica)) continue;
        try {
          if (kept.sender !== context.profile.user) await takeShare(replica, kept);
        } catch (error) {
          if (context.signal.aborted) return;
          // The room may be quiet from here on: nothing else would wake it.
          if (mayPass(error)) return void context.clock.after(patienceMs, () => this.wake());
          refusal = error;
          await this.#settle(kept, false);
          continue;
        }
        await this.#settle(kept, true);
      }
      this.#takenUpTo = upTo;
    } catch (error) {
      if (context.signal.aborted) return;
      this.#takenUpTo = upTo;
      refusal = error;
    } finally {
      this.#taking = false;
    }
    if (refusal && state.telling.missing > 0)
      context.notice(room, `what was said before is not here: ${describe(refusal)}`);
    // Whoever waits for it looks again.
    if (state.telling.missing === 0) replica.onAdvanced();
  }

  /** A share is done with; `told`: what it holds is here. */
  async #settle(kept: KeptShare, told: boolean): Promise<void> {
    const { replica } = this.#room;
    const { context, state, room } = replica;
    await replica.exclusive(async () => {
      if (told) {
        state.telling = { ...state.telling, missing: 0 };
        // Where whoever let this device in went away, nobody has told it what the room is called.
        state.title ||= (await context.history.title(room)) ?? "";
      }
      const [newest] = (await keptShares(context.store, room)).filter(
        ({ sender }) => sender === kept.sender,
      );
      const stands = newest?.sequence === kept.sequence;
      await replica.persist(stands ? [shareChange(room, { ...kept, taken: true })] : [], false);
    });
  }
}

/** Where this device entered without what stands before; 0 where it has all. */
function enteredAt({ state: { telling } }: Room["replica"]): number {
  return telling.entered || telling.missing;
}

function sizesOf({ share }: KeptShare): number[] {
  return share.bundles.map(({ plainBytes }) => Number(plainBytes));
}

function lengthOf({ length }: Uint8Array): number {
  return length;
}
