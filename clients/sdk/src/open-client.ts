import { type Clock, systemClock } from "@sotto/clock";
import { signerFromSeed } from "@sotto/identity";
import { type CryptoEngine, createMls } from "@sotto/mls";
import {
  type Authenticated,
  type Event,
  fromHex,
  limits,
  type Record as RecordMessage,
} from "@sotto/protocol";
import { type SealCrypto, webSealCrypto } from "@sotto/sealed-media";
import type { Archive } from "./archive/archive.ts";
import { openArchive } from "./archive/open-archive.ts";
import { allChecks, type Checks } from "./checks.ts";
import type { Connection } from "./connection/connection.ts";
import { Session } from "./connection/session.ts";
import { PromisedRooms } from "./devices/promised-rooms.ts";
import { beginningChange, notFinished, openableProfile } from "./devices/unfinished.ts";
import { DirectoryReplica } from "./directory/directory-replica.ts";
import { HeadGossip } from "./directory/head-gossip.ts";
import { NotLetIn } from "./directory/not-let-in.ts";
import { watchDirectory } from "./directory/watch-directory.ts";
import { SottoClientError } from "./errors.ts";
import { LiveEvents } from "./events.ts";
import { History } from "./history/history.ts";
import { KeyPackages } from "./key-packages.ts";
import { Notices } from "./notices.ts";
import { ClosableStore } from "./ports/closable-store.ts";
import type { ProfileStore } from "./ports/profile-store.ts";
import type { Transport } from "./ports/transport.ts";
import { DisabledPeople } from "./rooms/disabled-people.ts";
import { Outbox } from "./rooms/outbox.ts";
import { Parts } from "./rooms/parts.ts";
import type { RoomContext } from "./rooms/room-context.ts";
import { Rooms } from "./rooms/rooms.ts";
import { Trouble } from "./trouble.ts";
/** What a client stands on. Only `store` and `transport` are needed. */
export interface ClientOptions {
  /** A store that `join`, `joinByLink` or `recover` filled. The client disposes it in the end. */
  readonly store: ProfileStore;
  /** How the server is reached: `tlsTransport`, or a WebSocket one. */
  readonly transport: Transport;
  /** A quiet client makes nobody appear online and hears no presence. Default false. */
  readonly quiet?: boolean;
  /** Default: the system's. For tests. */
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
/** So often a few old records are read again on a connection that stays. */
const recheckEveryMs = 10 * 60_000;
/** How long a server that does not let this device in is asked what it holds. */
const notLetInMs = 10_000;

/** What a client is made of, on one profile. */
export interface ClientParts {
  readonly context: RoomContext;
  readonly rooms: Rooms;
  readonly archive: Archive;
  readonly session: Session;
  readonly live: LiveEvents;
  /** Aborted, with CLOSED, when the client is closed. */
  readonly stop: AbortController;
  readonly quiet: { now: boolean };
}

/** What the client does with what its connections bring. */
export interface ClientEnds {
  event(event: Event): void;
  record(record: RecordMessage): void;
  online(connection: Connection, login: Authenticated): Promise<void>;
  /** The connection of now, also before it is ready for others. */
  connection(): Connection | undefined;
}

/** Opens all that a client is made of; nothing is connected yet. Rejects with NO_PROFILE, PROFILE_BROKEN. */
export async function openParts(options: ClientOptions, ends: ClientEnds): Promise<ClientParts> {
  const store = new ClosableStore(options.store);
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
  const { transport } = options;
  directory.notLetInServer = (signal) =>
    new NotLetIn({
      transport,
      address: profile.server,
      serverKeySha256,
      signal: AbortSignal.any([signal, stop.signal]),
    });
  /** What trust tells already. */
  let told: Error | undefined;
  const session = new Session(
    {
      transport,
      address: profile.server,
      serverKeySha256,
      device: profile.device,
      authKey: await signerFromSeed(profile.secrets.auth),
      clock,
      random,
      quiet: () => quiet.now,
      checks,
      async unknown(cause) {
        if (beginning) return notFinished(beginning, cause);
        const known = directory.trust.fault;
        using server = directory.notLetInServer(AbortSignal.timeout(notLetInMs));
        // What cannot be looked at now is looked at when the client is opened again.
        const found = await directory.notLetIn(server, profile.device).catch(() => undefined);
        if (!known && found) told = found;
        return found ?? cause;
      },
    },
    {
      event: (event) => ends.event(event),
      record: (record) => ends.record(record),
      greeted: (connection, hello) => directory.greeted(connection, hello),
      online: async (connection, login) => {
        if (beginning) await store.commit([beginningChange(undefined)]);
        await ends.online(connection, login);
      },
      offline: (reason) => live.emit({ type: "connection", state: "offline", reason }),
      refused(error) {
        if (error !== told) live.emit({ type: "notice", text: error.message });
      },
    },
  );
  const recheck = clock.every(recheckEveryMs, () => {
    const { connection } = session;
    // What it finds is kept and told.
    if (connection) void directory.recheck(connection, random).catch(() => {});
  });
  stop.signal.addEventListener("abort", () => recheck.cancel(), { once: true });
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
    heads: new HeadGossip({
      replica: directory,
      online: trouble.online,
      notice,
      clock,
      signal: stop.signal,
    }),
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
    notices: await Notices.open(store, live),
    notice: (room, text) => live.emit({ type: "notice", ...(room && { room }), text }),
  };
  const rooms = await Rooms.open(context);
  const archive = await openArchive(context, rooms, () => ends.connection());
  context.history.onQueued = () => archive.wake();
  watchDirectory(context, rooms, archive);
  return { context, rooms, archive, session, live, stop, quiet };
}
