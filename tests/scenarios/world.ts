import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@sotto/chassis";
import type { ClientOptions, ProfileStore, Transport } from "@sotto/sdk";
import { tlsTransport } from "@sotto/sdk/node";
import {
  type EmbeddedServer,
  type Overrides,
  startServer,
} from "../../infra/embedded/src/compose.ts";
import { Company, type Joined, type Suite } from "./company.ts";

export { entries, type Joined, texts, until } from "./company.ts";

/** A whole server in this process, and people on it. */
export class World implements AsyncDisposable {
  readonly folder: string;
  readonly #company: Company;
  #owned = new AsyncDisposableStack();
  #server: EmbeddedServer | undefined;
  #port = 0;
  #ownerInvite = "";
  readonly #overrides: Overrides;

  private constructor(folder: string, transport: Transport, suite: Suite, overrides: Overrides) {
    this.folder = folder;
    this.#overrides = overrides;
    this.#company = new Company({ ownerInvite: () => this.#ownerInvite, transport, suite });
  }

  static async start(
    transport: Transport = tlsTransport,
    suite: Suite = "classical",
    overrides: Overrides = {},
  ): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), "sotto-world-"));
    const world = new World(folder, transport, suite, overrides);
    await world.startServer();
    return world;
  }

  get transport(): Transport {
    return this.#company.transport;
  }

  get suite(): Suite {
    return this.#company.suite;
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
      data: this.data,
      jsonLogs: true,
      adminPort: 0,
      adminSocket: undefined,
      tls: undefined,
      tlsFolder: undefined,
      origins: undefined,
      proxies: [],
      limits: {},
    };
    const logger = silentLogger;
    this.#server = await startServer(options, logger, this.#owned, this.#overrides);
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

  person(name: string, options: Partial<ClientOptions> = {}): Promise<Joined> {
    return this.#company.person(name, options);
  }

  arrive(name: string, invite: string, options: Partial<ClientOptions> = {}): Promise<Joined> {
    return this.#company.arrive(name, invite, options);
  }

  open(name: string, store: ProfileStore, options: Partial<ClientOptions> = {}): Promise<Joined> {
    return this.#company.open(name, store, options);
  }

  people<Names extends readonly string[]>(
    ...names: Names
  ): Promise<{ [Index in keyof Names]: Joined }> {
    return this.#company.people(...names);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#company[Symbol.asyncDispose]();
    await this.#owned.disposeAsync();
    await rm(this.folder, { recursive: true, force: true });
  }
}
