import { create, toBinary } from "@bufbuild/protobuf";
import { ManualClock } from "@sotto/clock";
import {
  addDeviceRecord,
  arrivalProof,
  createUserRecord,
  type DeviceDescription,
  Directory,
  generateEd25519,
  recoverySetRecord,
  revokeDeviceRecord,
  type Signer,
  sha256Hex,
  signerFromSeed,
} from "@sotto/identity";
import { generateSealingKey, type SealingKeyPair } from "@sotto/mls";
import {
  type DeviceId,
  fromHex,
  parseDeviceId,
  parseMessageId,
  parseRoomId,
  parseUserId,
} from "@sotto/protocol";
import { ContentSchema } from "@sotto/protocol/content";
import { Archive } from "../src/archive/archive.ts";
import { readQueue } from "../src/archive/archive-queue.ts";
import { randomBytes } from "../src/bytes.ts";
import { History } from "../src/history/history.ts";
import { entryOf, keepingOf } from "../src/history/said-message.ts";
import { MemoryStore } from "../src/ports/memory-store.ts";
import type { StoreChange } from "../src/ports/profile-store.ts";
import type { HistoryWord } from "../src/rooms/policy.ts";
import { FakeArchive } from "./fake-archive.ts";

export const room = parseRoomId("aa".repeat(16));
export const elsewhere = parseRoomId("bb".repeat(16));
const other = parseUserId("0f".repeat(16));
const othersDevice = parseDeviceId("0e".repeat(16));
const iat = 1_700_000_000_000;

export interface Keys {
  readonly id: DeviceId;
  readonly signer: Signer;
  readonly seal: SealingKeyPair;
  readonly description: DeviceDescription;
}

export async function newKeys(): Promise<Keys> {
  const [auth, sign, mls] = await Promise.all([1, 2, 3].map(() => generateEd25519()));
  if (!auth || !sign || !mls) throw new Error("no keys");
  const seal = await generateSealingKey();
  const id = parseDeviceId(randomBytes(16));
  const description = {
    ...{ id, name: "laptop", auth: auth.publicKey, sign: sign.publicKey, mls: mls.publicKey },
    seal: seal.publicKey,
  };
  return { id, signer: await signerFromSeed(sign.seed), seal, description };
}

/** A person with devices that share an archive at a fake server. */
export class Person {
  readonly user = parseUserId(randomBytes(16));
  readonly directory = new Directory();
  readonly port = new FakeArchive();
  #seq = 0;
  #prev = "";

  async begin(first: Keys): Promise<void> {
    const inviteKey = await signerFromSeed((await generateEd25519()).seed);
    const { sign, mls } = first.description;
    const proof = await arrivalProof(inviteKey, { user: this.user, device: first.id, sign, mls });
    await this.#apply(
      await createUserRecord({
        ...{ user: this.user, name: "alice", at: iat, device: first.description },
        invite: { key: inviteKey.publicKey, proof },
        signer: first.signer,
      }),
    );
  }

  async add(device: Keys, by: Keys): Promise<void> {
    const signs = { device: by.id, signer: by.signer };
    await this.#apply(
      await addDeviceRecord(this.#place(), device.description, device.signer, signs),
    );
  }

  async recovery(key: Keys, by: Keys): Promise<void> {
    const signs = { device: by.id, signer: by.signer };
    await this.#apply(await recoverySetRecord(this.#place(), key.description, key.signer, signs));
  }

  async revoke(device: DeviceId, by: Keys): Promise<void> {
    const signs = { device: by.id, signer: by.signer };
    await this.#apply(await revokeDeviceRecord(this.#place(), device, signs));
  }

  identity(keys: Keys) {
    return {
      user: this.user,
      device: keys.id,
      signKey: keys.signer,
      sealKey: keys.seal,
      directory: this.replica,
    };
  }

  readonly replica: { readonly directory: Directory; readonly size: number } = (() => {
    const { directory } = this;
    return {
      directory,
      get size() {
        return directory.size;
      },
    };
  })();

  #place() {
    return { user: this.user, seq: this.#seq, prev: this.#prev, at: iat };
  }

  async #apply(record: Uint8Array): Promise<void> {
    await this.directory.apply(record);
    this.#seq++;
    this.#prev = await sha256Hex(record);
  }
}

/** One device at work. */
export class Device {
  readonly keys: Keys;
  readonly store: MemoryStore;
  readonly history: History;
  readonly archive: Archive;
  readonly clock: ManualClock;
  /** What else the device has to do. */
  load = { busy: false };
  readonly directory: { refusal: Error | undefined };

  private constructor(
    keys: Keys,
    store: MemoryStore,
    history: History,
    archive: Archive,
    clock: ManualClock,
    directory: { refusal: Error | undefined },
  ) {
    this.keys = keys;
    this.store = store;
    this.history = history;
    this.archive = archive;
    this.clock = clock;
    this.directory = directory;
  }

  static async open(
    person: Person,
    keys: Keys,
    store = new MemoryStore(),
    checked = true,
  ): Promise<Device> {
    const history = await History.open(store);
    const clock = new ManualClock();
    const load = { busy: false };
    const directory: { refusal: Error | undefined } = { refusal: undefined };
    const archive = await Archive.open({
      ...{ identity: person.identity(keys), port: person.port, store, history, clock },
      random: () => 0,
      signal: new AbortController().signal,
      checked,
      hold: (_, task) => task(),
      refusal: () => directory.refusal,
      refreshDirectory: async () => {},
      busy: () => load.busy,
      notice: () => {},
    });
    history.onQueued = () => archive.wake();
    const device = new Device(keys, store, history, archive, clock, directory);
    return Object.assign(device, { load });
  }

  /** A message of somebody else that this device read in the room. */
  async hear(
    text: string,
    sequence: number,
    policy: HistoryWord = "all",
    at = room,
  ): Promise<void> {
    const id = parseMessageId(sequence.toString(16).padStart(32, "0"));
    const content = create(ContentSchema, {
      ...{ version: 1, id: fromHex(id), room: fromHex(at), atMs: 1n },
      body: { case: "text", value: { text } },
    });
    const encoded = toBinary(ContentSchema, content);
    const said = { room: at, sequence, sender: other, device: othersDevice, id, content, encoded };
    const entry = entryOf(said);
    if (!entry) throw new Error("no entry");
    await this.#commit(this.history.changesFor(entry, keepingOf(said, policy)));
  }

  async created(): Promise<void> {
    const entry = { type: "membership", change: "created", users: [other], by: other } as const;
    await this.#commit(this.history.changesFor({ ...entry, room, sequence: 1 }, { archive: true }));
  }

  async texts(): Promise<string[]> {
    const found: string[] = [];
    for await (const entry of this.history.read({ follow: false }))
      found.push(entry.type === "message" ? entry.text : entry.type);
    return found;
  }

  async queued(): Promise<number> {
    return (await readQueue(this.store, 1000)).length;
  }

  async #commit(changes: StoreChange[]): Promise<void> {
    await this.store.commit(changes);
    this.history.announce(changes);
  }
}

export async function alone() {
  const person = new Person();
  const keys = await newKeys();
  await person.begin(keys);
  const first = await Device.open(person, keys);
  return { person, first };
}

/** A person whose second device somebody has stolen, with the archive's key. */
export async function robbed() {
  const { person, first } = await alone();
  const stolen = await newKeys();
  await person.add(stolen, first.keys);
  await first.hear("with the stolen one", 2);
  await first.archive.flush();
  await first.archive.grantDevice(stolen.id);
  const thief = await Device.open(person, stolen);
  await thief.archive.catchUp();
  return { person, first, stolen, thief };
}
