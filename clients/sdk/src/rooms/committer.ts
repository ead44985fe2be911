import { Serial } from "@sotto/actor";
import type { Group, PendingCommit } from "@sotto/mls";
import { type EnvelopeKind, ErrorCode, fromHex, toHex, toSafeNumber } from "@sotto/protocol";
import { sha256 } from "../bytes.ts";
import type { Connection } from "../connection/connection.ts";
import { mayPass, SottoClientError, serverError } from "../errors.ts";
import { type EnvelopeDraft, type LeafName, writeEnvelope } from "./envelopes.ts";
import type { RoomReplica } from "./room-replica.ts";
import { giveUp } from "./room-state.ts";

const attemptsMax = 8;
const stepTimeoutMs = 30_000;
const jitterMs = 250;
const resendsMax = 4;
const resendWaitMs = 500;

/** A change of the group that a commit shall make; `undefined` where it is not needed any more. */
export interface Change {
  readonly kind: EnvelopeKind;
  readonly added?: readonly LeafName[];
  readonly removed?: readonly LeafName[];
  readonly policy?: Uint8Array;
  readonly disabled?: readonly Uint8Array[];
  stage(group: Group): Promise<PendingCommit>;
}

interface Written {
  readonly envelope: Uint8Array;
  readonly sha256: string;
  readonly draft: EnvelopeDraft;
  readonly parts: {
    readonly commit: Uint8Array;
    readonly welcome: Uint8Array | undefined;
    readonly tree: Uint8Array;
  };
}

/**
 * Changes a room's group by commits. A commit counts only when its record comes back as the room's
 * next handshake record; until then the group stays as it was, and what was staged is kept aside.
 */
export class Committer {
  readonly #room: RoomReplica;
  readonly #serial = new Serial();

  constructor(room: RoomReplica) {
    this.#room = room;
  }

  /**
   * Makes the change that `decide` wants in view of the room as it is then; asked again after every lost
   * race. Resolves with the room's last handshake sequence. Rejects with the server's refusal.
   */
  commit(decide: (group: Group) => Promise<Change | undefined>): Promise<number> {
    return this.#serial.run(() => this.#race(decide));
  }

  async #race(decide: (group: Group) => Promise<Change | undefined>): Promise<number> {
    const { context, state } = this.#room;
    for (let attempt = 1; ; attempt++) {
      try {
        const connection = await context.online(stepTimeoutMs, context.signal);
        await this.#until(() => this.#room.caughtUp && state.phase === "active");
        if (state.phase === "left") throw notInRoom();
        // One of an earlier life of this client: nothing of this one is on its way now.
        await this.#giveUpPending();
        const written = await this.#stage(decide);
        if (!written) return state.roster?.foldedTo ?? 0;
        if (await this.#append(connection, written)) return state.roster?.foldedTo ?? 0;
      } catch (error) {
        if (!mayPass(error)) throw error;
        if (attempt >= attemptsMax) throw error;
        await this.#giveUpPending();
      }
      if (attempt >= attemptsMax) {
        throw new SottoClientError(
          "REFUSED",
          "others changed the room at the same time again and again; try once more",
        );
      }
      await context.clock.sleep(context.random() * jitterMs * attempt, context.signal);
    }
  }

  #stage(decide: (group: Group) => Promise<Change | undefined>): Promise<Written | undefined> {
    return this.#room.exclusive(async () => {
      const { context, state, group } = this.#room;
      if (!group) throw notInRoom();
      const change = await decide(group);
      if (!change) return undefined;
      const staged = await change.stage(group);
      const draft: EnvelopeDraft = {
        kind: change.kind,
        ...(change.added ? { added: change.added } : {}),
        ...(change.removed ? { removed: change.removed } : {}),
        ...(change.disabled ? { disabled: change.disabled } : {}),
        ...(change.policy ? { policy: change.policy } : {}),
        commit: await context.parts.describe(staged.commit),
        welcome: await context.parts.describe(staged.welcome),
        groupInfo: await context.parts.describe(staged.groupInfo),
        tree: await context.parts.describe(staged.tree),
      };
      const envelope = await writeEnvelope(context, state, draft);
      const hash = toHex(await sha256(envelope));
      state.pending = { sha256: hash, staged: staged.serialise(), begins: false };
      await this.#room.persist([], false);
      const parts = { commit: staged.commit, welcome: staged.welcome, tree: staged.tree };
      return { envelope, sha256: hash, draft, parts };
    });
  }

  /** True where the record won. */
  async #append(connection: Connection, written: Written): Promise<boolean> {
    const { context, room, state } = this.#room;
    const { draft, parts } = written;
    await context.parts.upload(connection, room, draft.commit, parts.commit);
    await context.parts.upload(connection, room, draft.welcome, parts.welcome);
    const won = await this.send(connection, written.envelope, written.sha256);
    if (won) await context.parts.upload(connection, room, draft.tree, parts.tree);
    if (won && state.owedTree) await this.#paid(state.owedTree);
    return won && state.phase === "active";
  }

  /** Uploads the tree of a commit that won while this client could not do it: newcomers wait for it. */
  async uploadOwed(connection: Connection): Promise<void> {
    const { context, room, state, group } = this.#room;
    const owed = state.owedTree;
    if (!owed) return;
    const tree = group?.tree();
    if (tree && toHex(await sha256(tree)) === owed)
      await context.parts.upload(connection, room, await context.parts.describe(tree), tree);
    await this.#paid(owed);
  }

  #paid(tree: string): Promise<void> {
    return this.#room.exclusive(async () => {
      if (this.#room.state.owedTree !== tree) return;
      this.#room.state.owedTree = "";
      await this.#room.persist([], false);
    });
  }

  /** Sends a handshake record and waits until the room shows who won. */
  async send(connection: Connection, envelope: Uint8Array, hash: string): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#sendOnce(connection, envelope, hash);
      } catch (error) {
        // Nobody knows whether it stands: the same record again is answered as the first time.
        if (!isUndecided(error) || attempt === resendsMax) throw error;
        await this.#room.context.clock.sleep(resendWaitMs * attempt, this.#room.context.signal);
      }
    }
  }

  async #sendOnce(connection: Connection, envelope: Uint8Array, hash: string): Promise<boolean> {
    const { room, state } = this.#room;
    try {
      const value = { room: fromHex(room), envelope };
      const answer = await connection.request({ case: "commit", value }, "appended");
      const sequence = toSafeNumber(answer.position?.sequence ?? 0n);
      await this.#until(() => state.cursor >= sequence);
      return true;
    } catch (error) {
      const refusal = serverError(error);
      if (!refusal || isUndecided(error)) throw error;
      const lost = refusal.code === ErrorCode.STALE;
      const winner = refusal.handshake ?? 0;
      // The record may have won before, its answer lost, and another one after it: the room tells.
      if (lost)
        await this.#until(() => (state.roster?.foldedTo ?? 0) >= winner || state.cursor >= winner);
      await this.#room.exclusive(async () => {
        if (state.pending?.sha256 !== hash) return;
        state.pending = undefined;
        await this.#room.persist([], false);
      });
      if (lost) return false;
      throw error;
    }
  }

  /** Who is removed waits for nothing any more. */
  #until(holds: () => boolean): Promise<void> {
    return this.#room.until(() => this.#room.state.phase === "left" || holds(), stepTimeoutMs);
  }

  /** A commit that may be on its way, or may have been before a connection was lost: the next record tells. */
  async #giveUpPending(): Promise<void> {
    const { context, state } = this.#room;
    if (!state.pending) return;
    await context.online(stepTimeoutMs, context.signal);
    await this.#until(() => this.#room.caughtUp);
    await this.#room.exclusive(async () => {
      if (!state.pending || state.pending.begins) return;
      giveUp(state);
      await this.#room.persist([], false);
    });
  }
}

function notInRoom(): SottoClientError {
  return new SottoClientError("NOT_IN_ROOM", "this device is not in the room now");
}

/** True for an answer that does not tell whether the record was stored. */
function isUndecided(error: unknown): boolean {
  const code = serverError(error)?.code;
  return code === ErrorCode.UNAVAILABLE || code === ErrorCode.INTERNAL;
}
