import { create } from "@bufbuild/protobuf";
import type { DirectoryStore } from "@sotto/directory";
import { Directory } from "@sotto/identity";
import { loadServerKeys, type ServerKeys } from "@sotto/keyserver";
import { type Log, type LogRecord, parseTopic, readRecordsMax } from "@sotto/log";
import { fromHex, RecordKind, type Record as RecordMessage, RecordSchema } from "@sotto/protocol";
import { tlsTransport } from "@sotto/sdk/node";
import type { Overrides } from "../../../infra/embedded/src/compose.ts";
import type { Suite } from "../../scenarios/company.ts";
import { World } from "../../scenarios/world.ts";
import { suite as attacked } from "../config.ts";

/** The whole real server, its log, its store and its keys in the hands of somebody who means harm. */
export class HostileWorld implements AsyncDisposable {
  readonly world: World;
  readonly #ports: { log?: Log; store?: DirectoryStore };

  #writing: Promise<unknown> = Promise.resolve();

  private constructor(world: World, ports: { log?: Log; store?: DirectoryStore }) {
    this.world = world;
    this.#ports = ports;
  }

  static async start(overrides: Overrides = {}, suite: Suite = attacked): Promise<HostileWorld> {
    const ports: { log?: Log; store?: DirectoryStore } = {};
    const world = await World.start(tlsTransport, suite, {
      ...overrides,
      log: (log) => {
        ports.log = log;
        return overrides.log?.(log) ?? log;
      },
      directory: (store) => {
        ports.store = store;
        return overrides.directory?.(store) ?? store;
      },
    });
    return new HostileWorld(world, ports);
  }

  /** The log itself, behind the services' back. */
  get log(): Log {
    return present(this.#ports.log);
  }

  /** The directory's store itself, behind the services' back. */
  get store(): DirectoryStore {
    return present(this.#ports.store);
  }

  /** The directory as the store holds it. */
  async directory(): Promise<Directory> {
    const directory = new Directory();
    for (const { bytes } of await this.store.read(0, 1000)) await directory.apply(bytes);
    return directory;
  }

  /** Exact bytes of every record in the store. */
  async identityRecords(): Promise<Uint8Array[]> {
    return (await this.store.read(0, 1000)).map(({ bytes }) => bytes);
  }

  /** The server's own keys. */
  keys(): Promise<ServerKeys> {
    return loadServerKeys(this.world.data);
  }

  /** Everything that the server has stored of a room, as it goes to clients. */
  async records(room: string): Promise<RecordMessage[]> {
    const records: LogRecord[] = [];
    for (;;) {
      const after = records.at(-1)?.sequence ?? 0;
      const page = await this.log.read({ topic: parseTopic(room), after, limit: readRecordsMax });
      if (page.length === 0) break;
      records.push(...page);
    }
    return records.map((record) => recordMessage(room, record));
  }

  /** Writes a record that no service has looked at; live and replaying clients get it like any other. */
  write(room: string, kind: "h" | "m", data: Uint8Array): Promise<number> {
    const written = this.#writing.then(() => this.#write(room, kind, data));
    this.#writing = written.catch(() => {});
    return written;
  }

  async #write(room: string, kind: "h" | "m", data: Uint8Array): Promise<number> {
    const topic = parseTopic(room);
    const { handshake } = await this.log.head(topic);
    const key = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
    const appended = await this.log.append({ topic, kind, key, expectHandshake: handshake, data });
    return appended.position.sequence;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}

/** A stored record as it goes to clients. */
export function recordMessage(room: string, record: LogRecord): RecordMessage {
  return create(RecordSchema, {
    room: fromHex(room),
    sequence: BigInt(record.sequence),
    kind: record.kind === "h" ? RecordKind.HANDSHAKE : RecordKind.MESSAGE,
    handshake: BigInt(record.handshake),
    data: record.data,
  });
}

function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("the server is down");
  return value;
}
