import {
  type Authenticated,
  type Event,
  fromHex,
  PresenceState,
  type Record as RecordMessage,
  SignalKind,
  toSafeNumber,
  type UserId,
} from "@sotto/protocol";
import type { Archive } from "./archive/archive.ts";
import type { Connection } from "./connection/connection.ts";
import type { Session } from "./connection/session.ts";
import { DevicesDesk } from "./devices/devices-desk.ts";
import { DirectoryDesk } from "./directory/directory-desk.ts";
import { closed, SottoClientError } from "./errors.ts";
import type { ClientEvent, LiveEvents, PresenceWord } from "./events.ts";
import { makeFirstRoom } from "./first-room.ts";
import type { ListenOptions } from "./history/history.ts";
import type { NumberedEntry } from "./history/history-entry.ts";
import { type CreatedInvite, createInvite, type InviteOptions } from "./invites.ts";
import { MediaLibrary } from "./media/media-library.ts";
import { type ClientOptions, type ClientParts, openParts } from "./open-client.ts";
import { People } from "./people.ts";
import { PresenceView } from "./presence.ts";
import type { Profile } from "./profile.ts";
import { RoomDesk } from "./room-desk.ts";
import type { RoomContext } from "./rooms/room-context.ts";
import type { Rooms } from "./rooms/rooms.ts";
import type { Sent } from "./rooms/sender.ts";
import { ServerEvents } from "./server-events.ts";

const requestTimeoutMs = 30_000;

/**
 * A device of one person, connected as long as it lives. Open it on a store that `join` filled:
 *
 * ```ts
 * await using client = await SottoClient.open({ store, transport });
 * await client.send("general", "hello");
 * for await (const event of client.live()) console.log(event);
 * ```
 */
export class SottoClient implements AsyncDisposable {
  /** Who this device is, and of which server. */
  readonly profile: Profile;
  /** Who is who. */
  readonly people: People;
  /** Rooms by name or id: making, membership, sending. */
  readonly rooms: RoomDesk;
  /** This person's own devices. */
  readonly devices: DevicesDesk;
  /** The key directory, and whether the server is believed. */
  readonly directory: DirectoryDesk;
  /** Files and videos. */
  readonly media: MediaLibrary;
  /** What this person's devices remember, for each other. */
  readonly archive: Archive;
  readonly #context: RoomContext;
  readonly #rooms: Rooms;
  readonly #session: Session;
  readonly #live: LiveEvents;
  readonly #presence: PresenceView;
  readonly #events: ServerEvents;
  readonly #stop: AbortController;
  readonly #quiet: { now: boolean };
  #ready = false;
  #connection: Connection | undefined;

  private constructor(parts: ClientParts) {
    this.#context = parts.context;
    this.#rooms = parts.rooms;
    this.#session = parts.session;
    this.#live = parts.live;
    this.#stop = parts.stop;
    this.#quiet = parts.quiet;
    this.#presence = new PresenceView(parts.live);
    this.#events = new ServerEvents({ ...parts, presence: this.#presence });
    this.profile = parts.context.profile;
    this.people = new People(parts.context);
    this.rooms = new RoomDesk(parts.context, parts.rooms, this.people);
    this.devices = new DevicesDesk(parts.context, parts.rooms, parts.archive);
    this.directory = new DirectoryDesk(parts.context);
    this.media = new MediaLibrary(parts.context, this.rooms);
    this.archive = parts.archive;
  }

  /**
   * Opens the profile in the store and begins to connect, in the background: what is asked of the client waits for
   * the connection. The store is the client's from here on, and is disposed with it. Rejects with NO_PROFILE where
   * nobody joined in this store, PROFILE_BROKEN where it cannot be read or a newer client wrote it.
   */
  static async open(options: ClientOptions): Promise<SottoClient> {
    let client: SottoClient | undefined;
    const opened = (): SottoClient => {
      if (!client) throw new Error("a connection before there is a client");
      return client;
    };
    const parts = await openParts(options, {
      event: (event) => opened().#take(event),
      record: (record) => opened().#record(record),
      online: (connection, login) => opened().#online(connection, login),
      connection: () => client && opened().#connection,
    });
    client = new SottoClient(parts);
    parts.rooms.onChanged(() => opened().#checkReady());
    parts.session.start();
    return client;
  }

  /** Resolves when the client is logged in. Rejects with NOT_REACHABLE, CLOSED, or the reason of a refusal. */
  async online(timeoutMs: number = requestTimeoutMs, signal?: AbortSignal): Promise<void> {
    await this.#session.ready(timeoutMs, signal);
  }

  /**
   * True as soon as the client is logged in; false once it has tried for `graceMs` in vain and no attempt is under way
   * (or none has ended for half a minute). Throws the reason of a refusal.
   */
  async reached(graceMs: number): Promise<boolean> {
    this.#session.hurry();
    const { clock } = this.#context;
    const last = clock.monotonic() + requestTimeoutMs;
    for (let waitMs = graceMs; ; waitMs = 100) {
      const online = this.online(waitMs).then(
        () => true,
        () => false,
      );
      if (await online) return true;
      if (this.refusal) throw this.refusal;
      this.#stop.signal.throwIfAborted();
      if (!this.#session.trying || clock.monotonic() > last) return false;
    }
  }

  /** Why this device tries no more, where the server refused it for good. */
  get refusal(): Error | undefined {
    return this.#session.refusal;
  }

  /** Messages that this device could not open since its profile began. */
  get cannotOpen(): number {
    return this.#context.trouble.cannotOpen;
  }

  /** Resolves when everything that the rooms held at login is in the history. Rejects as `online` does. */
  async ready(timeoutMs: number = requestTimeoutMs): Promise<void> {
    await this.online(timeoutMs);
    const deadline = this.#context.clock.monotonic() + timeoutMs;
    while (!this.#isReady()) {
      if (this.#context.clock.monotonic() > deadline) {
        throw new SottoClientError("NOT_REACHABLE", "the rooms could not be read in time");
      }
      await this.#context.clock.sleep(10, this.#stop.signal);
    }
  }

  /**
   * Sends a text to a room (id or name) or a person (`@name`). Resolves when the server has it durably; without a
   * connection it waits in the outbox, which outlives the process. Aborting takes it back where it surely was not
   * sent. Rejects with UNKNOWN_ROOM, AMBIGUOUS_ROOM, UNKNOWN_USER, NOT_IN_ROOM, DIRECTORY_FORK, DIRECTORY_WITHHELD,
   * TOO_LARGE where 10,000 messages wait, CLOSED where the client is closed first, or with the server's `SottoError`.
   */
  async send(target: string, text: string, signal?: AbortSignal): Promise<Sent> {
    return await this.rooms.send(target, text, signal);
  }

  /** Makes an invite for one or more people. Rejects with UNKNOWN_ROOM, AMBIGUOUS_ROOM, UNKNOWN_USER, NOT_REACHABLE, or the server's refusal. */
  async invite(options: InviteOptions = {}): Promise<CreatedInvite> {
    return await createInvite(this.#context, this.rooms, this.people, options);
  }

  /**
   * This device's own history, its own messages included, and with `follow` what comes. Ends when the client is
   * closed.
   */
  async *history(
    options: Partial<ListenOptions> = {},
  ): AsyncGenerator<NumberedEntry, void, undefined> {
    const signal = this.#until(options.signal);
    try {
      yield* this.#context.history.read({ follow: false, ...options, signal });
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    }
  }

  /** What is not kept: presence (those who are here first), typing, connection, notices, `ready`. */
  async *live(signal?: AbortSignal): AsyncGenerator<ClientEvent, void, undefined> {
    const events = this.#live.subscribe(this.#until(signal));
    for (const [user, state] of this.#presence.present()) yield { type: "presence", user, state };
    if (this.#ready) yield { type: "ready" };
    yield* events;
  }

  /** Everybody who shares a room and is not offline, as the server last said. */
  presence(): ReadonlyMap<UserId, PresenceWord> {
    return this.#presence.present();
  }

  /** Resolves when the server has said who is here, or after `timeoutMs`. */
  async presenceKnown(timeoutMs: number): Promise<void> {
    for (let waited = 0; waited < timeoutMs && !this.#presence.known; waited += 10) {
      await this.#context.clock.sleep(10, this.#stop.signal);
    }
  }

  /** Whether this person is seen by others through this client, and sees them. */
  async setQuiet(quiet: boolean): Promise<void> {
    if (this.#quiet.now === quiet) return;
    this.#quiet.now = quiet;
    const connection = this.#session.connection;
    if (!connection) return;
    if (quiet) this.#presence.forget();
    const value = { state: quiet ? PresenceState.OFFLINE : PresenceState.ONLINE };
    await connection.request({ case: "setPresence", value }, "done").catch(() => {});
  }

  /** Says that the person is here, or away from the keyboard. Rejects with NOT_REACHABLE. */
  async setPresence(state: "online" | "idle"): Promise<void> {
    const connection = await this.#session.ready(requestTimeoutMs);
    const value = { state: state === "idle" ? PresenceState.IDLE : PresenceState.ONLINE };
    await connection.request({ case: "setPresence", value }, "done");
  }

  /** Tells the room (id or name) that this person is typing, or stopped. Best effort. Rejects with UNKNOWN_ROOM, NOT_REACHABLE. */
  async typing(room: string, typing = true): Promise<void> {
    const connection = await this.#session.ready(requestTimeoutMs);
    const kind = typing ? SignalKind.TYPING : SignalKind.TYPING_STOPPED;
    const value = { room: fromHex(this.rooms.find(room).room), kind };
    await connection.request({ case: "sendSignal", value }, "done");
  }

  /** Closes the client: what waits is rejected with CLOSED, histories end. Resolves when the store is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(closed());
    this.#rooms.close();
    await this.#session[Symbol.asyncDispose]();
    await this.archive[Symbol.asyncDispose]();
    await Promise.all(this.#rooms.all().map((room) => room.replica.exclusive(async () => {})));
    await this.#context.store[Symbol.asyncDispose]();
  }

  async #online(connection: Connection, login: Authenticated): Promise<void> {
    this.#connection = connection;
    this.#ready = false;
    this.#presence.forget();
    const { directory, heads, keyPackages, disabled } = this.#context;
    await directory.logIn(connection, toSafeNumber(login.directorySize), this.#context.random);
    if (directory.trust.fault && !directory.directory.device(this.profile.device)) {
      // Whoever was shown a false directory at the first look has no place in it.
      this.#live.emit({ type: "connection", state: "online" });
      return;
    }
    heads.wake();
    await disabled.refresh(connection);
    await keyPackages.keep(connection, login.keyPackagesLeft);
    // What was said before comes first, so that it stands first.
    const fresh = !this.archive.known;
    if (fresh) await this.archive.catchUp().catch(() => {});
    await this.#rooms.resume(connection);
    if (fresh) await this.#rooms.recall(this.archive.taken);
    this.archive.online();
    this.#live.emit({ type: "connection", state: "online" });
    this.#context.trouble.later();
    void makeFirstRoom(this.#context, this.rooms);
    void this.devices.revokeLost().catch(() => {});
  }

  #record(record: RecordMessage): void {
    if (this.#connection) this.#rooms.take(this.#connection, record);
  }

  #take(event: Event): void {
    if (this.#connection) this.#events.take(this.#connection, event);
  }

  /** Aborts with a signal of the caller's, and when the client is closed. */
  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal ? AbortSignal.any([signal, this.#stop.signal]) : this.#stop.signal;
  }

  #isReady(): boolean {
    return (
      this.#session.connection !== undefined &&
      this.#rooms
        .all()
        .every(
          ({ replica, telling }) =>
            replica.state.phase === "left" || (replica.caughtUp && !telling.expecting),
        )
    );
  }

  #checkReady(): void {
    if (this.#ready || !this.#isReady()) return;
    this.#ready = true;
    this.#live.emit({ type: "ready" });
  }
}
