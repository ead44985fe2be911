import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@sotto/chassis";
import {
  type ClientOptions,
  join as joinServer,
  MemoryStore,
  type NumberedEntry,
  type ProfileStore,
  SottoClient,
  type Transport,
} from "@sotto/sdk";
import { nodeSealCrypto, tlsTransport } from "@sotto/sdk/node";
import { type EmbeddedServer, startServer } from "../../infra/embedded/src/compose.ts";

type Suite = "classical" | "x-wing";

export interface Joined extends AsyncDisposable {
  readonly name: string;
  readonly client: SottoClient;
  readonly store: ProfileStore;
}

/** A store that outlives its clients, so that a test can open another one on it. */
class LastingStore extends MemoryStore {
  override async [Symbol.asyncDispose](): Promise<void> {}
}

/** A whole server in this process, and people on it. */
export class World implements AsyncDisposable {
  readonly folder: string;
  readonly transport: Transport;
  /** Everybody in a group speaks one suite. The classical one is quicker. */
  readonly suite: Suite;
  #owned = new AsyncDisposableStack();
  #server: EmbeddedServer | undefined;
  #port = 0;
  #ownerInvite = "";
  readonly #people = new AsyncDisposableStack();
  #owner: Joined | undefined;

  private constructor(folder: string, transport: Transport, suite: Suite) {
    this.folder = folder;
    this.transport = transport;
    this.suite = suite;
  }

  static async start(
    transport: Transport = tlsTransport,
    suite: Suite = "classical",
  ): Promise<World> {
    const world = new World(await mkdtemp(join(tmpdir(), "sotto-world-")), transport, suite);
    await world.startServer();
    return world;
  }

  get server(): EmbeddedServer {
    if (!this.#server) throw new Error("the server is down");
    return this.#server;
  }

  get data(): string {
    return join(this.folder, "data");
  }

  /** Starts the server, on the same port as before. */
  async startServer(): Promise<void> {
    this.#owned = new AsyncDisposableStack();
    const options = {
      host: "127.0.0.1",
      port: this.#port,
      address: undefined,
      adminSocket: undefined,
      tls: undefined,
      tlsFolder: undefined,
      origins: undefined,
      proxies: [],
      data: this.data,
      jsonLogs: true,
      adminPort: 0,
      limits: {},
    };
    const logger = silentLogger;
    this.#server = await startServer(options, logger, this.#owned);
    this.#port = this.#server.announced.listening.port;
    this.#ownerInvite = this.#server.announced.ownerInvite?.invite ?? this.#ownerInvite;
  }

  async stopServer(): Promise<void> {
    this.#server = undefined;
    await this.#owned.disposeAsync();
  }

  get ownerInvite(): string {
    return this.#ownerInvite;
  }

  /** Somebody with an account: the first one is the owner, the others come by the owner's invite. */
  async person(name: string, options: Partial<ClientOptions> = {}): Promise<Joined> {
    const owner = this.#owner;
    const invite = owner ? await this.#inviteBy(owner) : this.#ownerInvite;
    const store = options.store ?? new LastingStore();
    await joinServer({ invite, name, store, transport: this.transport, suite: this.suite });
    const joined = await this.open(name, store, options);
    await joined.client.online();
    if (!owner) this.#owner = joined;
    await joined.client.rooms.waitFor("general", 10_000);
    return joined;
  }

  /** Somebody who comes by an invite, and is in no room yet. */
  async arrive(name: string, invite: string): Promise<Joined> {
    const store = new LastingStore();
    await joinServer({ invite, name, store, transport: this.transport, suite: this.suite });
    return await this.open(name, store);
  }

  /** A client on a store that somebody joined with. */
  async open(
    name: string,
    store: ProfileStore,
    options: Partial<ClientOptions> = {},
  ): Promise<Joined> {
    const client = await SottoClient.open({
      transport: this.transport,
      sealCrypto: nodeSealCrypto,
      keyPackagesTarget: 10,
      ...options,
      store,
    });
    this.#people.defer(() => client[Symbol.asyncDispose]());
    return { name, client, store, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() };
  }

  async people<Names extends readonly string[]>(
    ...names: Names
  ): Promise<{ [Index in keyof Names]: Joined }> {
    const joined: Joined[] = [];
    for (const name of names) joined.push(await this.person(name));
    return joined as { [Index in keyof Names]: Joined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#people.disposeAsync();
    await this.#owned.disposeAsync();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #inviteBy(owner: Joined): Promise<string> {
    await owner.client.rooms.waitFor("general", 10_000);
    return (await owner.client.invite()).invite;
  }
}

/** Texts that somebody's history holds, in order. */
export async function texts(person: Joined, room?: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await entries(person)) {
    if (entry.type !== "message") continue;
    if (room === undefined || person.client.rooms.nameOf(entry.room) === room)
      found.push(entry.text);
  }
  return found;
}

export async function entries(person: Joined): Promise<NumberedEntry[]> {
  const all: NumberedEntry[] = [];
  for await (const entry of person.client.history()) all.push(entry);
  return all;
}

/** Asks until it holds, for ten seconds at most. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
