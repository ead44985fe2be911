import { type Clock, systemClock } from "@sotto/clock";
import { signerFromSeed } from "@sotto/identity";
import { type CryptoEngine, createMls } from "@sotto/mls";
import {
  type Authenticated,
  type Event,
  fromHex,
  limits,
  PresenceState,
  type Record as RecordMessage,
  SignalKind,
  toSafeNumber,
  type UserId,
} from "@sotto/protocol";
import { type SealCrypto, webSealCrypto } from "@sotto/sealed-media";
import type { Archive } from "./archive/archive.ts";
import { openArchive } from "./archive/open-archive.ts";
import { allChecks, type Checks } from "./checks.ts";
import type { Connection } from "./connection/connection.ts";
import { Session } from "./connection/session.ts";
import { DevicesDesk } from "./devices/devices-desk.ts";
import { PromisedRooms } from "./devices/promised-rooms.ts";
import { beginningChange, notFinished, openableProfile } from "./devices/unfinished.ts";
import { DirectoryDesk } from "./directory/directory-desk.ts";
import { DirectoryReplica } from "./directory/directory-replica.ts";
import { HeadGossip } from "./directory/head-gossip.ts";
import { watchDirectory } from "./directory/watch-directory.ts";
import { SottoClientError } from "./errors.ts";
import { type ClientEvent, LiveEvents, type PresenceWord } from "./events.ts";
import { makeFirstRoom } from "./first-room.ts";
import { History, type ListenOptions } from "./history/history.ts";
import type { NumberedEntry } from "./history/history-entry.ts";
import { type CreatedInvite, createInvite, type InviteOptions } from "./invites.ts";
import { KeyPackages } from "./key-packages.ts";
import { MediaLibrary } from "./media/media-library.ts";
import { People } from "./people.ts";
import type { ProfileStore } from "./ports/profile-store.ts";
import type { Transport } from "./ports/transport.ts";
import { PresenceView } from "./presence.ts";
import type { Profile } from "./profile.ts";
import { RoomDesk } from "./room-desk.ts";
import { DisabledPeople } from "./rooms/disabled-people.ts";
import { Outbox } from "./rooms/outbox.ts";
import { Parts } from "./rooms/parts.ts";
import type { RoomContext } from "./rooms/room-context.ts";
import { Rooms } from "./rooms/rooms.ts";
import type { Sent } from "./rooms/sender.ts";
import { ServerEvents } from "./server-events.ts";
import { Trouble } from "./trouble.ts";

export interface ClientOptions {
  readonly store: ProfileStore;
  readonly transport: Transport;
  /** A quiet client makes nobody appear online and hears no presence. Default false. */
  readonly quiet?: boolean;
  readonly clock?: Clock;
  /** Numbers from 0 (inclusive) to 1 (exclusive), for jitter only. */
  readonly random?: () => number;
  /** Primitives for media; default: the platform's WebCrypto. */
  readonly sealCrypto?: SealCrypto;
  /** Primitives for groups and messages; default: the platform's WebCrypto. */
  readonly mlsEngine?: CryptoEngine;
  /** One-time KeyPackages to keep at the server. */
  readonly keyPackagesTarget?: number;
  /** For tests that show that a check bites. */
  readonly checks?: Partial<Checks>;
}

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

  private constructor(parts: {
    context: RoomContext;
    rooms: Rooms;
    archive: Archive;
    session: Session;
    live: LiveEvents;
    stop: AbortController;
    quiet: { now: boolean };
  }) {
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

  /** Opens the profile in the store and begins to connect. Throws NO_PROFILE, UNFINISHED, PROFILE_BROKEN. */
  static async open(options: ClientOptions): Promise<SottoClient> {
    const { store } = options;
    const { profile, beginning } = await openableProfile(store);
    const clock = options.clock ?? systemClock;
    const random = options.random ?? Math.random;
    const stop = new AbortController();
    const live = new LiveEvents();
    const checks = { ...allChecks, ...options.checks };
    const { serverKeySha256 } = profile;
    const now = () => clock.now();
    const directory = await DirectoryReplica.open({ store, checks, serverKeySha256, now });
    const { mlsEngine } = options;
    const mls = createMls({
      suite: profile.suite,
      now: () => clock.now(),
      ...(mlsEngine && { engine: mlsEngine }),
    });
    const mlsKey = {
      publicKey: (await signerFromSeed(profile.secrets.mls)).publicKey,
      privateKey: profile.secrets.mls,
    };
    const leaf = {
      user: profile.user,
      device: profile.device,
      get recordHash() {
        const own = directory.directory.device(profile.device);
        if (!own)
          throw (
            directory.refusal() ??
            new SottoClientError("NOT_REACHABLE", "this device has not seen its own record yet")
          );
        return fromHex(own.recordHash);
      },
    };
    const target = options.keyPackagesTarget ?? limits.keyPackagesMax;
    const quiet = { now: options.quiet ?? false };
    let client: SottoClient | undefined;
    const session = new Session(
      {
        transport: options.transport,
        address: profile.server,
        serverKeySha256,
        device: profile.device,
        authKey: await signerFromSeed(profile.secrets.auth),
        clock,
        random,
        quiet: () => quiet.now,
        checks,
        ...(beginning && { unknown: (cause) => notFinished(beginning, cause) }),
      },
      {
        event: (event) => {
          if (client) client.#take(event);
        },
        record: (record) => {
          if (client) client.#record(record);
        },
        greeted: (connection, hello) => directory.greeted(connection, hello),
        online: async (connection, login) => {
          if (beginning) await store.commit([beginningChange(undefined)]);
          if (client) await client.#online(connection, login);
        },
        offline: (reason) => live.emit({ type: "connection", state: "offline", reason }),
        refused: (error) => live.emit({ type: "notice", text: error.message }),
      },
    );
    const trouble = await Trouble.open(store, clock, random);
    trouble.online = () => session.ready(requestTimeoutMs, stop.signal);
    const notice = (room: string, text: string) => live.emit({ type: "notice", room, text });
    const context: RoomContext = {
      profile,
      leaf,
      mls,
      mlsKey,
      signKey: await signerFromSeed(profile.secrets.sign),
      store,
      history: await History.open(store),
      outbox: await Outbox.open(store),
      directory,
      heads: new HeadGossip({ replica: directory, online: trouble.online, notice, clock }),
      checks,
      trouble,
      keyPackages: new KeyPackages({ mls, store, leaf, mlsKey, target, now }),
      parts: new Parts(clock, checks),
      disabled: new DisabledPeople(profile.serverKeySha256),
      promised: await PromisedRooms.open(store),
      sealCrypto: options.sealCrypto ?? webSealCrypto,
      clock,
      random,
      signal: stop.signal,
      online: (timeoutMs, signal) => session.ready(timeoutMs, signal),
      refusal: () => session.refusal,
      notice: (room, text) => live.emit({ type: "notice", ...(room && { room }), text }),
    };
    const rooms = await Rooms.open(context);
    const archive = await openArchive(context, rooms, () =>
      client ? client.#connection : undefined,
    );
    context.history.onQueued = () => archive.wake();
    client = new SottoClient({ context, rooms, archive, session, live, stop, quiet });
    const opened = client;
    rooms.onChanged(() => opened.#checkReady());
    watchDirectory(context, rooms, archive);
    session.start();
    return opened;
  }

  /** Resolves when the client is logged in. Rejects with NOT_REACHABLE or the reason of a refusal. */
  async online(timeoutMs: number = requestTimeoutMs, signal?: AbortSignal): Promise<void> {
    await this.#session.ready(timeoutMs, signal);
  }

  /** Why this device tries no more, where the server refused it for good. */
  get refusal(): Error | undefined {
    return this.#session.refusal;
  }

  /** Messages that this device could not open since its profile began. */
  get cannotOpen(): number {
    return this.#context.trouble.cannotOpen;
  }

  /** Resolves when everything that the rooms held at login is in the history. */
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

  /** Sends a text to a room (id or name) or a person (`@name`). Resolves when the server has it durably. */
  async send(target: string, text: string, signal?: AbortSignal): Promise<Sent> {
    return await this.rooms.send(target, text, signal);
  }

  /** Makes an invite for one or more people. */
  async invite(options: InviteOptions = {}): Promise<CreatedInvite> {
    return await createInvite(this.#context, this.rooms, this.people, options);
  }

  /** This device's own history, its own messages included, and what follows. */
  history(options: Partial<ListenOptions> = {}): AsyncGenerator<NumberedEntry, void, undefined> {
    return this.#context.history.read({ follow: false, ...options });
  }

  /** What is not kept: presence (those who are here first), typing, connection, notices, `ready`. */
  async *live(
    signal: AbortSignal = this.#stop.signal,
  ): AsyncGenerator<ClientEvent, void, undefined> {
    const both = AbortSignal.any([signal, this.#stop.signal]);
    const events = this.#live.subscribe(both);
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

  /** Says that the person is here, or away from the keyboard. */
  async setPresence(state: "online" | "idle"): Promise<void> {
    const connection = await this.#session.ready(requestTimeoutMs);
    const value = { state: state === "idle" ? PresenceState.IDLE : PresenceState.ONLINE };
    await connection.request({ case: "setPresence", value }, "done");
  }

  /** Tells the room that this person is typing, or stopped. Best effort. */
  async typing(room: string, typing = true): Promise<void> {
    const connection = await this.#session.ready(requestTimeoutMs);
    const kind = typing ? SignalKind.TYPING : SignalKind.TYPING_STOPPED;
    const value = { room: fromHex(this.rooms.find(room).room), kind };
    await connection.request({ case: "sendSignal", value }, "done");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new SottoClientError("CLOSED", "this client was closed"));
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
