import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Bus } from "@sotto/bus";
import { createInProcessBus } from "@sotto/bus/in-process";
import { createMetrics, type MetricsSource, silentLogger } from "@sotto/chassis";
import { ManualClock } from "@sotto/clock";
import type { DirectoryStore } from "@sotto/directory";
import { openSqliteDirectory } from "@sotto/directory/sqlite";
import {
  createGrant,
  type InviteKeys,
  inviteKeys,
  parseRecord,
  type RoomGrant,
  type Signer,
  sha256,
} from "@sotto/identity";
import { call, ServiceCallSchema, subjects } from "@sotto/interservice";
import type { Log } from "@sotto/log";
import { openSegmentLog } from "@sotto/log/segment";
import {
  type ErrorCode,
  fromHex,
  type RequestSchema,
  type Response,
  ResponseSchema,
  type RoomId,
} from "@sotto/protocol";
import { onTestFinished } from "vitest";
import {
  iat,
  randomBytes,
  type TestDevice,
  TestPerson,
} from "../../../libs/identity/test/person.ts";
import type { KeyserverLimits } from "../src/keyserver-limits.ts";
import { loadServerKeys, type ServerKeys } from "../src/server-keys.ts";
import { type KeyserverService, startKeyserver } from "../src/start-keyserver.ts";

type Body = NonNullable<MessageInitShape<typeof RequestSchema>["body"]>;
type Answers = Response["body"];
type AnswerOf<Case extends Answers["case"]> = Extract<Answers, { case: Case }>["value"];

/** Who calls: somebody's first device, or another one of theirs. */
export interface Caller {
  readonly user: TestPerson["user"];
  readonly first: Pick<TestDevice, "id">;
}

const timeoutMs = 10_000;

/** One keyserver with a bus of its own, as an edge sees it. */
export class TestReplica {
  readonly bus: Bus;
  readonly service: KeyserverService;
  readonly #metrics: MetricsSource;

  constructor(bus: Bus, service: KeyserverService, metrics: MetricsSource) {
    this.bus = bus;
    this.service = service;
    this.#metrics = metrics;
  }

  /** The value of a metric without labels of its own. */
  async metric(name: string): Promise<number> {
    const line = new RegExp(`^sotto_keyserver_${name}\\{.*\\} (.*)$`, "m");
    return Number(line.exec(await this.#metrics.render())?.[1]);
  }

  /** A client's request, of somebody who is logged in, or of nobody. */
  async ask<Case extends Answers["case"]>(
    caller: Caller | undefined,
    body: Body,
    expected: Case,
  ): Promise<AnswerOf<Case>> {
    const { user, first } = caller ?? {};
    const who = user && first ? { user: fromHex(user), device: fromHex(first.id) } : undefined;
    const request = { ...(who ? { caller: who } : {}), request: { body } };
    const answer = await this.call(
      subjects.keyserverCommand,
      ServiceCallSchema,
      ResponseSchema,
      request,
    );
    if (answer.body.case !== expected) throw new Error(`answered ${answer.body.case}`);
    return answer.body.value as AnswerOf<Case>;
  }

  /** An edge's own question. */
  call<Question extends DescMessage, Answer extends DescMessage>(
    subject: string,
    question: Question,
    answer: Answer,
    body: MessageInitShape<Question>,
  ): Promise<MessageShape<Answer>> {
    return call(this.bus, subject, question, answer, body, { timeoutMs });
  }
}

/** The ports that all replicas share, and the people on them. */
export class KeyserverWorld {
  readonly clock = new ManualClock(iat);
  readonly log: Log;
  readonly store: DirectoryStore;
  /** Holds the server's keys and what it has signed. */
  readonly identityFolder: string;

  constructor(log: Log, store: DirectoryStore, identityFolder: string) {
    this.log = log;
    this.store = store;
    this.identityFolder = identityFolder;
  }

  keys(): Promise<ServerKeys> {
    return loadServerKeys(this.identityFolder);
  }

  /** Another store, with the first records of this one: what a backup brings back. */
  async olderCopy(records: number): Promise<DirectoryStore> {
    const copy = await openSqliteDirectory({ folder: await temporaryFolder() });
    onTestFinished(() => copy[Symbol.asyncDispose]());
    for (const { bytes } of (await this.store.read(0, 1000)).slice(0, records)) {
      const { record } = parseRecord(bytes);
      await copy.append({
        bytes,
        user: record.user,
        chainSequence: record.seq,
        ...(record.typ === "user-create" ? { claimName: record.name } : {}),
        now: this.clock.now(),
      });
    }
    return copy;
  }

  /** Starts a keyserver on the ports, or on others that stand for them. Ended with the test. */
  async start(
    options: {
      readonly limits?: Partial<KeyserverLimits>;
      readonly log?: Log;
      readonly store?: DirectoryStore;
      readonly bus?: Bus;
      readonly identityFolder?: string;
    } = {},
  ): Promise<TestReplica> {
    const bus = options.bus ?? createInProcessBus();
    const metrics = createMetrics({ service: "keyserver" });
    const service = await startKeyserver({
      bus,
      log: options.log ?? this.log,
      store: options.store ?? this.store,
      clock: this.clock,
      logger: silentLogger,
      metrics,
      keys: await loadServerKeys(options.identityFolder ?? this.identityFolder),
      ...(options.limits ? { limits: options.limits } : {}),
    });
    onTestFinished(() => service[Symbol.asyncDispose]());
    return new TestReplica(bus, service, metrics);
  }

  /** The first person, who comes with the owner's invite. */
  async owner(replica: TestReplica, name = "alice"): Promise<TestPerson> {
    const secret = await replica.service.ownerInvite();
    if (!secret) throw new Error("the server has an owner");
    return await this.arrive(replica, name, await inviteKeys(secret));
  }

  /** Somebody who comes with an invite. */
  async arrive(replica: TestReplica, name: string, invite: InviteKeys): Promise<TestPerson> {
    const person = await TestPerson.named(name, invite.inviteKey);
    const value = { serverToken: invite.serverToken, record: await person.create() };
    await replica.ask(undefined, { case: "register", value }, "registered");
    return person;
  }

  /** An invite of `inviter`'s, made on the server. */
  async invite(
    replica: TestReplica,
    inviter: TestPerson,
    options: {
      readonly uses?: number;
      readonly expiresAt?: number;
      readonly rooms?: readonly RoomId[];
    } = {},
  ): Promise<InviteKeys> {
    const keys = await inviteKeys(randomBytes(32));
    const { uses = 1, expiresAt = 0, rooms } = options;
    const grant = rooms ? await grantOf(inviter, keys, { rooms, expiresAt }) : new Uint8Array();
    const tokenHash = await sha256(keys.serverToken);
    const value = { tokenHash, uses, expiresAtMs: BigInt(expiresAt), grant };
    await replica.ask(inviter, { case: "createInvite", value }, "inviteCreated");
    return keys;
  }

  /** Another person, by an invite of `inviter`'s. */
  async join(replica: TestReplica, inviter: TestPerson, name: string): Promise<TestPerson> {
    return await this.arrive(replica, name, await this.invite(replica, inviter));
  }
}

/** A grant that `inviter` signed, and faults in it. */
export async function grantOf(
  inviter: TestPerson,
  { inviteKey }: InviteKeys,
  grant: Partial<RoomGrant> & { readonly rooms: readonly RoomId[] },
  signer: Signer = inviter.first.signer,
): Promise<Uint8Array<ArrayBuffer>> {
  const own = { user: inviter.user, device: inviter.first.id };
  return await createGrant(
    { inviter: own, inviteKey: inviteKey.publicKey, expiresAt: 0, ...grant },
    signer,
  );
}

/** A folder that is gone with the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sotto-keyserver-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Real embedded adapters in a folder of their own. */
export async function keyserverWorld(): Promise<KeyserverWorld> {
  const folder = await temporaryFolder();
  const log = await openSegmentLog({ folder: join(folder, "log"), clock: new ManualClock(iat) });
  onTestFinished(() => log[Symbol.asyncDispose]());
  const store = await openSqliteDirectory({ folder: join(folder, "directory") });
  onTestFinished(() => store[Symbol.asyncDispose]());
  return new KeyserverWorld(log, store, join(folder, "identity"));
}

/** A world with one keyserver and its owner. */
export async function ownedWorld(limits: Partial<KeyserverLimits> = {}) {
  const world = await keyserverWorld();
  const server = await world.start({ limits });
  const alice = await world.owner(server);
  return { world, server, alice };
}

/** A port of which some methods are replaced. */
export function withMethods<Port extends object>(port: Port, replaced: Partial<Port>): Port {
  return new Proxy(port, {
    get(target, name) {
      const value = Reflect.get(name in replaced ? replaced : target, name);
      return typeof value === "function" && !(name in replaced) ? value.bind(target) : value;
    },
  });
}

/** What a call rejects with. */
export const refusedWith = (code: ErrorCode) => ({ name: "SottoError", code });
