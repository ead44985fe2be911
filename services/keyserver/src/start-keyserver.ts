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
import { StandingGrants } from "./standing-grants.ts";

export interface KeyserverOptions {
  readonly bus: Bus;
  readonly log: Log;
  readonly store: DirectoryStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The server identity key, which invites pin. */
  readonly identityKey: Signer;
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
  const { bus, store, clock, identityKey } = options;
  const server = await openKeyserver(options);
  const calls = new CallsInFlight();
  await using starting = new AsyncDisposableStack();
  starting.defer(() => calls.ended());
  for (const subscription of answers(server, identityKey, calls)) starting.use(await subscription);
  for (const subscription of hints(server)) starting.use(await subscription);
  const watch = watchBus(server);
  starting.defer(() => watch.cancel());
  let running = true;
  const parts = starting.move();
  return {
    ready: () => running && bus.connected && !server.state.isSetBack,
    operator: new Operator(server),
    async ownerInvite() {
      await server.state.catchUp();
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
  const { bus, log, store, clock } = options;
  const limits = { ...keyserverLimits, ...options.limits };
  const budget = (perHour: number) =>
    new CallBudget({ clock, perHour, pairsMax: limits.budgetPairsMax });
  const state = await DirectoryState.open(store);
  const { logger } = options;
  const rosters = new Rosters(log, store, limits, (err) =>
    logger.error("a handshake record cannot be read: nobody folds it", { err: err as Error }),
  );
  await rosters.refoldAll();
  return {
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
      identityKey: options.identityKey,
      freshMs: limits.disabledFreshMs,
    }),
    serverKeySha256: await sha256(options.identityKey.publicKey),
    budgets: {
      invites: budget(limits.invitesPerHour),
      records: budget(limits.recordsPerHour),
      claims: budget(limits.claimsPerHour),
    },
    events: new KeyserverEvents(options.logger, options.metrics, {
      directorySize: () => state.directory.size,
      ready: () => bus.connected && !state.isSetBack,
    }),
    limits,
  };
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
