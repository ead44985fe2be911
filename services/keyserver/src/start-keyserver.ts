import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Bus, BusSubscription } from "@sotto/bus";
import type { Logger, Metrics } from "@sotto/chassis";
import type { Clock } from "@sotto/clock";
import type { DirectoryStore } from "@sotto/directory";
import { type Signer, sha256 } from "@sotto/identity";
import {
  CertifyRequestSchema,
  CertifyResponseSchema,
  ConfirmRequestSchema,
  ConfirmResponseSchema,
  DeviceRequestSchema,
  DeviceResponseSchema,
  RoomsRequestSchema,
  RoomsResponseSchema,
  RosterRequestSchema,
  RosterResponseSchema,
  type ServiceCall,
  ServiceCallSchema,
  serve,
  subjects,
} from "@sotto/interservice";
import type { Log } from "@sotto/log";
import { ResponseSchema } from "@sotto/protocol";
import { announceDirectory, announceRecords } from "./announce.ts";
import { answerClient } from "./answer-client.ts";
import { certify, confirm, device, rooms, roster } from "./answer-edges.ts";
import { CallBudget } from "./call-budget.ts";
import { CallsInFlight } from "./calls-in-flight.ts";
import type { Keyserver } from "./commands/command.ts";
import { DirectoryState } from "./directory-state.ts";
import { DisabledUsers } from "./disabled-users.ts";
import { KeyserverEvents } from "./events.ts";
import { hints, watchBus } from "./hints.ts";
import { type KeyserverLimits, keyserverLimits } from "./keyserver-limits.ts";
import { LastResorts } from "./last-resorts.ts";
import { Operator } from "./operator/operator.ts";
import { ownerInviteSecret } from "./owner-invite.ts";
import { RecentChanges } from "./recent-changes.ts";
import { RoomTurns } from "./room-turns.ts";
import { Rosters } from "./rosters.ts";
import type { ServerKeys } from "./server-keys.ts";
import { StandingGrants } from "./standing-grants.ts";
import { Checkpoints } from "./transparency/checkpoints.ts";
import { Standing, type StandingOptions } from "./transparency/standing.ts";
import { StoreWatch } from "./transparency/store-watch.ts";
import { TakeBack } from "./transparency/take-back.ts";

export interface KeyserverOptions {
  readonly bus: Bus;
  readonly log: Log;
  readonly store: DirectoryStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly keys: ServerKeys;
  /** Where they differ from `keyserverLimits`. */
  readonly limits?: Partial<KeyserverLimits>;
}

/** A running keyserver. Disposing stops answering and waits for calls under way; the ports stay open. */
export interface KeyserverService extends AsyncDisposable {
  ready(): boolean;
  /** The secret of the owner's invite while the server has no owner. Rejects as the store does. */
  ownerInvite(): Promise<Uint8Array | undefined>;
  /** What the one who operates the server may do. */
  readonly operator: Operator;
}

/** Starts a keyserver. Several may share store, log and bus. Rejects as they do, or with `RecordError`. */
export async function startKeyserver(options: KeyserverOptions): Promise<KeyserverService> {
  const { bus, store, clock } = options;
  const { identityKey } = options.keys;
  const server = await openKeyserver(options);
  const calls = new CallsInFlight();
  await using starting = new AsyncDisposableStack();
  starting.use(server.takeBack);
  starting.defer(() => calls.ended());
  for (const subscription of answers(server, identityKey, calls)) starting.use(await subscription);
  for (const subscription of hints(server)) starting.use(await subscription);
  const { storeCheckMs: periodMs, storeCheckRecords: records } = server.limits;
  starting.use(new StoreWatch({ clock, store, state: server.state, periodMs, records }));
  const watch = watchBus(server);
  starting.defer(() => watch.cancel());
  let running = true;
  const parts = starting.move();
  return {
    ready: () => running && bus.connected && !server.state.isSetBack,
    operator: new Operator(server),
    async ownerInvite() {
      // A server that lost its owner's record, to a backup or to whoever altered it, is nobody else's.
      if (server.state.isAltered || (await server.standing.look())) return undefined;
      return await ownerInviteSecret(store, server.state.directory.size, clock.now());
    },
    async [Symbol.asyncDispose]() {
      running = false;
      await parts.disposeAsync();
    },
  };
}

/** Folds what stands in store and log. */
async function openKeyserver(options: KeyserverOptions): Promise<Keyserver> {
  const { bus, log, store, clock, keys } = options;
  const limits = { ...keyserverLimits, ...options.limits };
  const budget = (perHour: number) =>
    new CallBudget({ clock, perHour, pairsMax: limits.budgetPairsMax });
  const state = await DirectoryState.open(store);
  const { logger } = options;
  const rosters = new Rosters(log, store, limits, (err) =>
    logger.error("a handshake record cannot be read: nobody folds it", { err: err as Error }),
  );
  const events = new KeyserverEvents(logger, options.metrics, {
    directorySize: () => state.directory.size,
    ready: () => bus.connected && !state.isSetBack,
    behind: () => standing.lack !== undefined,
    altered: () => state.isAltered,
  });
  const { logState } = keys;
  const changed: StandingOptions["changed"] = (lack, size) => events.lackChanged(lack, size);
  const standing = new Standing({ state, logState, changed });
  state.onAltered = (index) => events.altered(index);
  if (state.damage) events.damaged(state.damage);
  else await standing.look();
  const checkpoints = await Checkpoints.open({
    state,
    standing,
    store,
    logState,
    keys,
    failed: (error) => events.failed(error),
  });
  const takeBack = new TakeBack({
    bus,
    clock,
    state,
    standing,
    checkpoints,
    logState,
    recordsMax: limits.handedBackRecordsMax,
    bytesMax: limits.handedBackBytesMax,
    async stored(from) {
      events.tookBack(from, state.directory.size - from);
      await announceRecords(server, from);
    },
    parted: ({ size }) => events.parted(size),
    failed: (error) => events.failed(error),
  });
  await rosters.refoldAll();
  const server: Keyserver = {
    bus,
    log,
    store,
    clock,
    state,
    rosters,
    turns: new RoomTurns(limits.waitingCommitsMax),
    changes: new RecentChanges(limits.changesKeptMax),
    grants: new StandingGrants(store, clock, limits),
    lastResorts: new LastResorts(store),
    disabled: new DisabledUsers({
      store,
      clock,
      identityKey: keys.identityKey,
      freshMs: limits.disabledFreshMs,
    }),
    serverKeySha256: await sha256(keys.identityKey.publicKey),
    standing,
    checkpoints,
    takeBack,
    budgets: {
      invites: budget(limits.invitesPerHour),
      records: budget(limits.recordsPerHour),
      claims: budget(limits.claimsPerHour),
    },
    events,
    limits,
  };
  state.onAltered = (index) => {
    events.altered(index);
    announceDirectory(server);
  };
  return server;
}

/** Every call that this service answers. */
function answers(
  server: Keyserver,
  identityKey: Signer,
  calls: CallsInFlight,
): Promise<BusSubscription>[] {
  const onFailure = (error: unknown) => server.events.failed(error);
  const answer = <Request extends DescMessage, Response extends DescMessage>(
    subject: string,
    request: Request,
    response: Response,
    handler: (call: MessageShape<Request>) => Promise<MessageInitShape<Response>>,
  ) =>
    serve(server.bus, subject, "keyserver", request, response, calls.counted(handler), {
      onFailure,
    });
  const onRefused = (error: unknown) => server.events.refused(error);
  const client = calls.counted((call: ServiceCall) => answerClient(server, call), onRefused);
  return [
    answer(subjects.keyserverCommand, ServiceCallSchema, ResponseSchema, async (call) => ({
      body: await client(call),
    })),
    answer(subjects.keyserverCertify, CertifyRequestSchema, CertifyResponseSchema, (call) =>
      certify(server, identityKey, call),
    ),
    answer(subjects.keyserverDevice, DeviceRequestSchema, DeviceResponseSchema, (call) =>
      device(server, call),
    ),
    answer(subjects.keyserverRooms, RoomsRequestSchema, RoomsResponseSchema, (call) =>
      rooms(server, call),
    ),
    answer(subjects.keyserverRoster, RosterRequestSchema, RosterResponseSchema, (call) =>
      roster(server, call),
    ),
    answer(subjects.keyserverConfirm, ConfirmRequestSchema, ConfirmResponseSchema, (call) =>
      confirm(server, call),
    ),
  ];
}
