import { fromBinary } from "@bufbuild/protobuf";
import type { Bus } from "@sotto/bus";
import type { Logger, Metrics } from "@sotto/chassis";
import type { Clock } from "@sotto/clock";
import type { DirectoryStore } from "@sotto/directory";
import type { Signer } from "@sotto/identity";
import {
  CertifyRequestSchema,
  CertifyResponseSchema,
  ConfirmRequestSchema,
  ConfirmResponseSchema,
  DeviceRequestSchema,
  DeviceResponseSchema,
  RoomsRequestSchema,
  RoomsResponseSchema,
  RosterChangeSchema,
  RosterRequestSchema,
  RosterResponseSchema,
  ServiceCallSchema,
  serve,
  subjects,
} from "@sotto/interservice";
import type { Log } from "@sotto/log";
import {
  limits,
  parseRoomId,
  parseUserId,
  ResponseSchema,
  SottoError,
  toSafeNumber,
} from "@sotto/protocol";
import { answerClient } from "./answer-client.ts";
import { certify, confirm, device, rooms, roster } from "./answer-edges.ts";
import { CallBudget } from "./call-budget.ts";
import type { Keyserver } from "./commands/command.ts";
import { DirectoryState } from "./directory-state.ts";
import { KeyserverEvents } from "./events.ts";
import { ownerInviteSecret } from "./owner-invite.ts";
import { RecentChanges } from "./recent-changes.ts";
import { RoomTurns } from "./room-turns.ts";
import { Rosters } from "./rosters.ts";

export interface KeyserverOptions {
  readonly bus: Bus;
  readonly log: Log;
  readonly store: DirectoryStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The server identity key, which invites pin. */
  readonly identityKey: Signer;
  /** Default: `limits.roomDevicesMax`. */
  readonly roomDevicesMax?: number;
}

/** A running keyserver. Disposing stops answering; the ports stay open. */
export interface KeyserverService extends AsyncDisposable {
  ready(): boolean;
  /** The secret of the owner's invite while the server has no owner. */
  ownerInvite(): Promise<Uint8Array | undefined>;
}

const hourMs = 3600 * 1000;
/** Claims of one device's KeyPackages by one user in an hour. */
const claimsPerHour = 20;
/** Invites, and records, that one user may write in an hour. */
const writesPerHour = 200;

const queue = "keyserver";

/** Starts a keyserver. Several may share store, log and bus. */
export async function startKeyserver(options: KeyserverOptions): Promise<KeyserverService> {
  const { bus, log, store, clock, identityKey } = options;
  const state = await DirectoryState.open(store);
  const gauges = { directorySize: () => state.directory.size };
  const server: Keyserver = {
    bus,
    log,
    store,
    clock,
    state,
    rosters: new Rosters(log, store),
    turns: new RoomTurns(),
    changes: new RecentChanges(),
    keyPackageBudget: new CallBudget(clock, claimsPerHour, hourMs),
    writeBudget: new CallBudget(clock, writesPerHour, hourMs),
    events: new KeyserverEvents(options.logger, options.metrics, gauges),
    roomDevicesMax: options.roomDevicesMax ?? limits.roomDevicesMax,
  };
  await server.rosters.refoldAll();
  const incarnation = crypto.getRandomValues(new Uint8Array(16));
  const onFailure = (error: unknown) => server.events.failed(error);
  await using starting = new AsyncDisposableStack();
  const calls = [
    serve(
      bus,
      subjects.keyserverCommand,
      queue,
      ServiceCallSchema,
      ResponseSchema,
      (call) => client(server, call),
      { onFailure },
    ),
    serve(
      bus,
      subjects.keyserverCertify,
      queue,
      CertifyRequestSchema,
      CertifyResponseSchema,
      (call) => certify(server, identityKey, call),
      { onFailure },
    ),
    serve(
      bus,
      subjects.keyserverDevice,
      queue,
      DeviceRequestSchema,
      DeviceResponseSchema,
      (call) => device(server, call),
      { onFailure },
    ),
    serve(
      bus,
      subjects.keyserverRooms,
      queue,
      RoomsRequestSchema,
      RoomsResponseSchema,
      (call) => rooms(server, call),
      { onFailure },
    ),
    serve(
      bus,
      subjects.keyserverRoster,
      queue,
      RosterRequestSchema,
      RosterResponseSchema,
      (call) => roster(server, call),
      { onFailure },
    ),
    serve(
      bus,
      subjects.keyserverConfirm,
      queue,
      ConfirmRequestSchema,
      ConfirmResponseSchema,
      (call) => confirm(server, incarnation, call),
      { onFailure },
    ),
    // Changes that other replicas made.
    bus.subscribe(subjects.hintRoster, ({ data }) => hear(server, data)),
  ];
  for (const call of calls) starting.use(await call);
  let running = true;
  const parts = starting.move();
  return {
    ready: () => running && bus.connected,
    ownerInvite: async () => await ownerInviteSecret(store, state.directory.size, clock.now()),
    async [Symbol.asyncDispose]() {
      running = false;
      await parts.disposeAsync();
    },
  };
}

async function client(server: Keyserver, call: Parameters<typeof answerClient>[1]) {
  try {
    return { body: await answerClient(server, call) };
  } catch (error) {
    if (error instanceof SottoError) server.events.refused(error);
    throw error;
  }
}

function hear(server: Keyserver, data: Uint8Array): void {
  const { room, handshake, users } = fromBinary(RosterChangeSchema, data);
  server.changes.add({
    room: parseRoomId(room),
    handshake: toSafeNumber(handshake),
    users: users.map((user) => parseUserId(user)),
  });
}
