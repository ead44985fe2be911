import { isUnfinished, SottoClient, SottoClientError } from "@sotto/sdk";
import { nodeMlsEngine, nodeSealCrypto, type SqliteStore, tlsTransport } from "@sotto/sdk/node";
import { ProfileVault } from "./profile-vault.ts";
import { WatchServer } from "./watch-server.ts";

/** The one client of a profile, opened when first needed, and what stands on it. */
export class AgentProfile implements AsyncDisposable {
  readonly home: string;
  readonly vault: ProfileVault;
  #client: Promise<SottoClient> | undefined;
  #watch: WatchServer | undefined;
  /** Commands that listen: while there are any, the person is seen as here. */
  #listeners = 0;

  constructor(home: string) {
    this.home = home;
    this.vault = new ProfileVault(home);
  }

  /** Throws LOCKED where the profile needs its passphrase. */
  store(): SqliteStore {
    return this.vault.open();
  }

  /** The client, connecting or connected. Rejects with NO_PROFILE where nobody joined here, or LOCKED. */
  async client(): Promise<SottoClient> {
    await this.#leaveRefused();
    this.#client ??= this.#open().catch((error) => {
      this.#client = undefined;
      throw error;
    });
    return await this.#client;
  }

  /**
   * Makes a profile by `make`, with a store that nobody else uses: a client that was opened on one that is not finished
   * goes first. Throws LOCKED.
   */
  async newcomer(make: (store: SqliteStore) => Promise<unknown>): Promise<void> {
    await using store = this.store();
    if (await isUnfinished(store)) await this.#leave();
    await make(store);
  }

  /** Marks a command that listens; dispose when it ends. */
  async listening(): Promise<AsyncDisposable> {
    const client = await this.client();
    this.#listeners++;
    if (this.#listeners === 1) await client.setQuiet(false);
    return {
      [Symbol.asyncDispose]: async () => {
        this.#listeners--;
        if (this.#listeners === 0) await client.setQuiet(true);
      },
    };
  }

  /** Serves opened media on loopback. */
  async watch(): Promise<WatchServer> {
    const client = await this.client();
    this.#watch ??= await WatchServer.start(client.media);
    return this.#watch;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch?.[Symbol.asyncDispose]();
    const client = await this.#client?.catch(() => undefined);
    await client?.[Symbol.asyncDispose]();
  }

  /** A client that the server refused for good tries no more; a later command may fare better. */
  async #leaveRefused(): Promise<void> {
    const opened = this.#client;
    const client = await opened?.catch(() => undefined);
    if (!client?.refusal || this.#client !== opened || this.#listeners > 0) return;
    await this.#leave();
  }

  async #leave(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    if (!client) return;
    this.#client = undefined;
    this.vault.closedLive();
    await client[Symbol.asyncDispose]();
  }

  async #open(): Promise<SottoClient> {
    return await this.vault.openLive((store) => this.#openOn(store));
  }

  async #openOn(store: SqliteStore): Promise<SottoClient> {
    try {
      return await SottoClient.open({
        store,
        transport: tlsTransport,
        quiet: true,
        sealCrypto: nodeSealCrypto,
        mlsEngine: nodeMlsEngine,
      });
    } catch (error) {
      await store[Symbol.asyncDispose]();
      if (error instanceof SottoClientError && error.code === "NO_PROFILE") {
        throw new SottoClientError(
          "NO_PROFILE",
          "nobody has joined with this profile yet: sotto join <invite> --name <you>",
        );
      }
      throw error;
    }
  }
}
