import {
  addDeviceRecord,
  type ChainPlace,
  type DeviceDescription,
  type DirectoryUser,
  generateEd25519,
  type Signer,
  sha256,
  signerFromSeed,
} from "@sotto/identity";
import {
  createMls,
  type GeneratedKeyPackage,
  type Group,
  generateSealingKey,
  type LeafIdentity,
  type Mls,
  type SignatureKey,
} from "@sotto/mls";
import { type DeviceId, fromHex, parseDeviceId, toHex, type UserId } from "@sotto/protocol";
import { suite } from "../config.ts";

/** A device that the server makes itself, with keys that it knows, under the name of somebody. */
export class Impostor {
  readonly user: UserId;
  readonly description: DeviceDescription;
  readonly sign: Signer;
  readonly mls: Mls = createMls({ suite, now: Date.now });
  readonly #leafKey: SignatureKey;
  #made: GeneratedKeyPackage | undefined;

  private constructor(
    user: UserId,
    description: DeviceDescription,
    sign: Signer,
    leafKey: SignatureKey,
  ) {
    this.user = user;
    this.description = description;
    this.sign = sign;
    this.#leafKey = leafKey;
  }

  /** One of `user`; `device` where it takes the place of a device that is there. */
  static async of(
    user: UserId,
    device: DeviceId = parseDeviceId(crypto.getRandomValues(new Uint8Array(16))),
  ): Promise<Impostor> {
    const [auth, sign, mls, seal] = await Promise.all([
      generateEd25519(),
      generateEd25519(),
      generateEd25519(),
      generateSealingKey(),
    ]);
    const keys = {
      auth: auth.publicKey,
      sign: sign.publicKey,
      mls: mls.publicKey,
      seal: seal.publicKey,
    };
    const leafKey = { publicKey: mls.publicKey, privateKey: mls.seed };
    return new Impostor(
      user,
      { id: device, name: "phone", ...keys },
      await signerFromSeed(sign.seed),
      leafKey,
    );
  }

  get device(): DeviceId {
    return this.description.id;
  }

  /** The record that adds this device to its user's chain, as if a device of theirs had signed it. */
  async record({ chain, devices }: DirectoryUser): Promise<Uint8Array> {
    const place: ChainPlace = {
      user: this.user,
      seq: chain.length,
      prev: chain.at(-1) ?? "",
      at: Date.now(),
    };
    const by = { device: devices[0]?.id ?? this.device, signer: this.sign };
    return await addDeviceRecord(place, this.description, this.sign, by);
  }

  /** A KeyPackage that names the device by the record that is said to have added it. */
  async keyPackage(record: Uint8Array | string): Promise<Uint8Array> {
    const recordHash = typeof record === "string" ? fromHex(record) : await sha256(record);
    const identity: LeafIdentity = { user: this.user, device: this.device, recordHash };
    this.#made = await this.mls.generateKeyPackage({
      identity,
      signatureKey: this.#leafKey,
      lastResort: false,
    });
    return this.#made.keyPackage;
  }

  /** Whether a Welcome is for this one. */
  invitedBy(welcome: Uint8Array): boolean {
    const ref = toHex(this.#made?.ref ?? new Uint8Array());
    return this.mls.welcomeRefs(welcome).some((known) => toHex(known) === ref);
  }

  /** The group that a Welcome opens to this one, who trusts everybody. */
  async enter(welcome: Uint8Array, tree: Uint8Array): Promise<Group> {
    const secret = this.#made?.secret ?? new Uint8Array();
    const judge = () => true;
    return await this.mls.joinFromWelcome({
      welcome,
      tree,
      secret,
      signatureKey: this.#leafKey,
      judge,
    });
  }
}
