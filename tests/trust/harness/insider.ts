import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { decodeEnvelope, sha256, signEnvelope, signerFromSeed } from "@sotto/identity";
import { createMls, type Group, type LeafIdentity, type SignatureKey } from "@sotto/mls";
import {
  type Envelope,
  EnvelopeKind,
  EnvelopeSchema,
  fromHex,
  RecordKind,
  type Record as RecordMessage,
} from "@sotto/protocol";
import { loadProfile, type Profile, type ProfileStore } from "@sotto/sdk";

/** What an envelope shall say. */
export type EnvelopeWords = Exclude<MessageInitShape<typeof EnvelopeSchema>, Envelope>;

/** A device that does not keep to the rules: a removed member's, or a thief's. It has its keys, and obeys nobody. */
export class Insider {
  readonly profile: Profile;
  readonly #leaf: LeafIdentity;
  readonly #leafKey: SignatureKey;

  private constructor(profile: Profile, leaf: LeafIdentity, leafKey: SignatureKey) {
    this.profile = profile;
    this.#leaf = leaf;
    this.#leafKey = leafKey;
  }

  /** What somebody can do who has a device's store. `recordHash` is that of the record which added the device. */
  static async with(store: ProfileStore, recordHash: string): Promise<Insider> {
    const profile = await loadProfile(store);
    if (!profile) throw new Error("there is no profile in that store");
    const { user, device, secrets } = profile;
    const { publicKey } = await signerFromSeed(secrets.mls);
    return new Insider(
      profile,
      { user, device, recordHash: fromHex(recordHash) },
      { publicKey, privateKey: secrets.mls },
    );
  }

  /** A signed handshake record that follows the last one of `records`. */
  async envelope(
    records: readonly RecordMessage[],
    change: EnvelopeWords & { readonly kind: EnvelopeKind },
  ): Promise<Uint8Array> {
    const last = records.findLast(({ kind }) => kind === RecordKind.HANDSHAKE);
    if (!last) throw new Error("that room has not begun");
    const before = decodeEnvelope(last.data);
    const { user, device, secrets } = this.profile;
    const committer = { user: fromHex(user), device: fromHex(device) };
    const envelope = create(EnvelopeSchema, {
      version: 1,
      room: last.room,
      previousSequence: last.sequence,
      previousSha256: await sha256(last.data),
      epoch: before.epoch + 1n,
      committer,
      directorySize: before.directorySize,
      ...change,
    });
    return await signEnvelope(
      toBinary(EnvelopeSchema, envelope),
      await signerFromSeed(secrets.sign),
    );
  }

  /** A record by which this device brings itself into the room, and the group that it then has. */
  async rejoin(
    records: readonly RecordMessage[],
    more: EnvelopeWords = {},
  ): Promise<{ data: Uint8Array; group: Group }> {
    const last = records.findLast(({ kind }) => kind === RecordKind.HANDSHAKE);
    const { groupInfo, tree } = decodeEnvelope(last?.data ?? new Uint8Array());
    const mls = createMls({ suite: this.profile.suite, now: Date.now });
    const joined = await mls.joinByExternalCommit({
      groupInfo: groupInfo?.inline ?? new Uint8Array(),
      tree: tree?.inline ?? new Uint8Array(),
      identity: this.#leaf,
      signatureKey: this.#leafKey,
      judge: () => true,
    });
    const part = (inline: Uint8Array) => ({ inline, bytes: inline.length });
    const data = await this.envelope(records, {
      kind: EnvelopeKind.REJOIN,
      added: [{ user: fromHex(this.profile.user), device: fromHex(this.profile.device) }],
      commit: part(joined.commit),
      groupInfo: part(joined.groupInfo),
      tree: part(await joined.group.tree()),
      ...more,
    });
    return { data, group: joined.group };
  }
}
