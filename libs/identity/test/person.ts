import { type DeviceId, parseDeviceId, parseUserId, toHex, type UserId } from "@sotto/protocol";
import {
  addDeviceRecord,
  arrivalProof,
  createUserRecord,
  type DeviceDescription,
  generateEd25519,
  identityResetRecord,
  type ResetAllowance,
  recoverySetRecord,
  revokeDeviceRecord,
  type Signer,
  sha256Hex,
  signerFromSeed,
  signReset,
} from "../src/index.ts";

export const iat = 1_700_000_000_000;

export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length));
}

export async function newSigner(): Promise<Signer> {
  return await signerFromSeed((await generateEd25519()).seed);
}

/** A device with all its keys. */
export interface TestDevice {
  readonly id: DeviceId;
  /** Signs logins. */
  readonly auth: Signer;
  readonly signer: Signer;
  readonly description: DeviceDescription;
}

export async function newDevice(id = parseDeviceId(randomBytes(16))): Promise<TestDevice> {
  const [auth, signer, mls] = await Promise.all([newSigner(), newSigner(), newSigner()]);
  const description = {
    id,
    name: "laptop",
    auth: auth.publicKey,
    sign: signer.publicKey,
    mls: mls.publicKey,
    seal: randomBytes(1216),
  };
  return { id, auth, signer, description };
}

/** A person who writes a chain of records; every method answers the next one. */
export class TestPerson {
  readonly user: UserId = parseUserId(randomBytes(16));
  readonly name: string;
  readonly first: TestDevice;
  readonly invite: Signer;
  #seq = 0;
  #prev = "";

  private constructor(name: string, first: TestDevice, invite: Signer) {
    this.name = name;
    this.first = first;
    this.invite = invite;
  }

  static async named(name: string, invite?: Signer): Promise<TestPerson> {
    return new TestPerson(name, await newDevice(), invite ?? (await newSigner()));
  }

  async create(): Promise<Uint8Array<ArrayBuffer>> {
    const { sign, mls } = this.first.description;
    const newcomer = { user: this.user, device: this.first.id, sign, mls };
    const record = await createUserRecord({
      user: this.user,
      name: this.name,
      at: iat,
      device: this.first.description,
      invite: {
        key: this.invite.publicKey,
        proof: await arrivalProof(this.invite, newcomer),
      },
      signer: this.first.signer,
    });
    return await this.#next(record);
  }

  async add(
    { description, signer }: TestDevice,
    by: TestDevice = this.first,
    replaces?: DeviceId,
  ): Promise<Uint8Array<ArrayBuffer>> {
    return await this.#next(
      await addDeviceRecord(this.place(), description, signer, signs(by), replaces),
    );
  }

  async revoke(device: DeviceId, by: TestDevice = this.first): Promise<Uint8Array<ArrayBuffer>> {
    return await this.#next(await revokeDeviceRecord(this.place(), device, signs(by)));
  }

  async recovery(key: TestDevice, by: TestDevice = this.first): Promise<Uint8Array<ArrayBuffer>> {
    const record = recoverySetRecord(this.place(), key.description, key.signer, signs(by));
    return await this.#next(await record);
  }

  /** Begins anew with `device`, as `allowed` for `invite`. */
  async reset(
    device: TestDevice,
    invite: Signer,
    allowed: ResetAllowance,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { sign, mls } = device.description;
    const proof = await arrivalProof(invite, { user: this.user, device: device.id, sign, mls });
    const record = await identityResetRecord({
      place: this.place(),
      device: device.description,
      signer: device.signer,
      invite: { key: invite.publicKey, proof },
      allowed,
    });
    return await this.#next(record);
  }

  /** This person's word that somebody may begin anew with `invite`, from `place` on. */
  async allows(
    { user, prev }: ReturnType<TestPerson["place"]>,
    invite: Signer,
    expires = 0,
    by: TestDevice = this.first,
  ) {
    return await signReset({ user, inviteKey: invite.publicKey, prev }, expires, signs(by));
  }

  /** Forgets the last record: it was refused. */
  back(place: ReturnType<TestPerson["place"]>): void {
    this.#seq = place.seq;
    this.#prev = place.prev;
  }

  /** Where the next record stands. */
  place() {
    return { user: this.user, seq: this.#seq, prev: this.#prev, at: iat };
  }

  async #next(record: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    this.#seq++;
    this.#prev = await sha256Hex(record);
    return record;
  }
}

export function signs({ id, signer }: TestDevice) {
  return { device: id, signer };
}

/** Bytes as hex, so that two of them compare by value. */
export const hexOf = (bytes: Uint8Array): string => toHex(bytes);
