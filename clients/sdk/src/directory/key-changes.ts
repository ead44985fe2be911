import { hasUser, type RecordChange } from "@sotto/identity";
import type { UserId } from "@sotto/protocol";
import type { KeysChangedEntry } from "../history/history-entry.ts";
import type { StoreChange } from "../ports/profile-store.ts";
import type { RoomContext } from "../rooms/room-context.ts";
import type { RoomState } from "../rooms/room-state.ts";

/** What telling of changes needs of a client. */
export type KeyChangesContext = {
  readonly notices: Pick<RoomContext["notices"], "alert">;
  readonly profile: Pick<RoomContext["profile"], "user" | "device">;
  readonly directory: Pick<RoomContext["directory"], "directory" | "submitted">;
  readonly history: Pick<RoomContext["history"], "changesFor">;
};

/** The history entries, and the notice, by which people hear whose keys changed, and who signed that. */
export class KeyChanges {
  readonly #context: KeyChangesContext;
  readonly #rooms: () => readonly RoomState[];

  /** `rooms` answers the state of every room of this device. */
  constructor(context: KeyChangesContext, rooms: () => readonly RoomState[]) {
    this.#context = context;
    this.#rooms = rooms;
  }

  /** What belongs into the commit of the records that made these changes. */
  tell(changes: readonly RecordChange[]): StoreChange[] {
    return changes.flatMap(eachDevice).flatMap((change) => {
      const told = this.#entryOf(change);
      if (!told) return [];
      const { profile, history } = this.#context;
      const alerts = change.user === profile.user ? [this.#alert(told)] : [];
      const entries = this.#rooms()
        .filter(
          (state) => state.phase === "active" && state.roster && hasUser(state.roster, told.user),
        )
        .map((state) => ({ ...told, room: state.room, sequence: state.cursor }))
        .flatMap((entry) => history.changesFor(entry));
      return [...alerts, ...entries];
    });
  }

  /**
   * Nothing for a beginner, whom nobody knew before, and for what this client sent itself. This device's signature
   * alone does not show that: whoever copied its keys signs as this device. What its owner allowed is done by another
   * when they like, and told here as everywhere.
   */
  #entryOf({
    user,
    change,
    device,
    by,
    index,
  }: RecordChange): Omit<KeysChangedEntry, "room" | "sequence"> | undefined {
    const { profile, directory } = this.#context;
    if (change === "user-created") return undefined;
    if (device === profile.device || this.#isSubmitted(index)) return undefined;
    const signer = directory.directory.device(by.device);
    return {
      type: "keys-changed",
      user,
      change,
      device,
      deviceName: directory.directory.device(device)?.name ?? "",
      by: { ...by, user: signer?.user ?? user, name: signer?.name ?? "" },
    };
  }

  #isSubmitted(index: number): boolean {
    const { submitted, directory } = this.#context.directory;
    return [...submitted].some((hash) => directory.indexOf(hash) === index);
  }

  #alert({ change, deviceName, by }: Omit<KeysChangedEntry, "room" | "sequence">): StoreChange {
    const what = {
      "device-added": `the device "${deviceName}" was added to your account`,
      "device-revoked": `your device "${deviceName}" was revoked`,
      "recovery-set": "a recovery phrase was set for your account",
      "identity-reset": "your identity was begun anew with another device",
    }[change];
    const who = {
      device: `signed by your device "${by.name}"`,
      recovery: "signed by your recovery phrase",
      owner: `allowed by ${this.#nameOf(by.user)}, who owns this server`,
    }[by.kind];
    return this.#context.notices.alert(
      `${what}, ${who}. If that was not you, revoke the device that you do not know: sotto devices`,
    );
  }

  #nameOf(user: UserId): string {
    return this.#context.directory.directory.user(user)?.name ?? user;
  }
}

/** A device that took another's place is one line, and the other is one of its own. */
function eachDevice(change: RecordChange): RecordChange[] {
  if (change.change !== "device-added") return [change];
  const gone = change.revoked.map(
    (device) => ({ ...change, change: "device-revoked", device }) as const,
  );
  return [change, ...gone];
}
