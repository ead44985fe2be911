import {
  type ClientOptions,
  join as joinServer,
  MemoryStore,
  type NumberedEntry,
  type ProfileStore,
  SottoClient,
  type Transport,
} from "@sotto/sdk";
import { nodeMlsEngine, nodeSealCrypto, tlsTransport } from "@sotto/sdk/node";
import { watch, whereabouts } from "./whereabouts.ts";

export type Suite = "classical" | "x-wing";

export interface Joined extends AsyncDisposable {
  readonly name: string;
  readonly client: SottoClient;
  readonly store: ProfileStore;
}

/** A store that outlives its clients, so that a test can open another one on it. */
export class LastingStore extends MemoryStore {
  override async [Symbol.asyncDispose](): Promise<void> {}
}

export interface CompanyOptions {
  /** The owner's invite, asked for when the first person joins. */
  readonly ownerInvite: () => string;
  readonly transport?: Transport;
  /** Everybody in a group speaks one suite. The classical one is quicker. */
  readonly suite?: Suite;
}

/** The people on a server, wherever it runs. The first one is the owner, the others come by the owner's invite. */
export class Company implements AsyncDisposable {
  readonly transport: Transport;
  readonly suite: Suite;
  readonly #ownerInvite: () => string;
  readonly #people = new AsyncDisposableStack();
  #owner: Joined | undefined;

  constructor({ ownerInvite, transport = tlsTransport, suite = "classical" }: CompanyOptions) {
    this.#ownerInvite = ownerInvite;
    this.transport = transport;
    this.suite = suite;
  }

  /** Somebody with an account, in `general`. */
  async person(name: string, options: Partial<ClientOptions> = {}): Promise<Joined> {
    const owner = this.#owner;
    const invite = owner ? await inviteBy(owner) : this.#ownerInvite();
    const joined = await this.arrive(name, invite, options);
    await joined.client.online();
    if (!owner) this.#owner = joined;
    await joined.client.rooms.waitFor("general", 10_000).catch(async (cause) => {
      throw new Error(`${name} is not let in; ${await whereabouts()}`, { cause });
    });
    return joined;
  }

  /** Somebody who comes by an invite, and may be in no room yet. */
  async arrive(
    name: string,
    invite: string,
    options: Partial<ClientOptions> = {},
  ): Promise<Joined> {
    const store = options.store ?? new LastingStore();
    await joinServer({ invite, name, store, transport: this.transport, suite: this.suite });
    return await this.open(name, store, options);
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
      mlsEngine: nodeMlsEngine,
      keyPackagesTarget: 10,
      ...options,
      store,
    });
    this.#people.defer(() => client[Symbol.asyncDispose]());
    watch(name, client, store);
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
  }
}

async function inviteBy(owner: Joined): Promise<string> {
  await owner.client.rooms.waitFor("general", 10_000);
  return (await owner.client.invite()).invite;
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
    if (performance.now() > end)
      throw new Error(`waited in vain until ${what}; ${await whereabouts()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
