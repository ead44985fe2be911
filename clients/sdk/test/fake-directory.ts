import { create } from "@bufbuild/protobuf";
import {
  type Checkpoint,
  checkpointNote,
  checkpointOrigin,
  Directory,
  openCheckpoint,
  type Signer,
  sha256,
  signCheckpoint,
  signLogKey,
} from "@sotto/identity";
import {
  DirectoryPageSchema,
  ErrorCode,
  HandedBackSchema,
  SignedCheckpointSchema,
  SottoError,
} from "@sotto/protocol";
import { newSigner } from "../../../libs/identity/test/person.ts";
import type { RequestBody } from "../src/connection/connection.ts";
import type { DirectoryServer } from "../src/directory/directory-server.ts";

/** A keyserver's directory as a client sees it, which may be made to lie. */
export class FakeDirectory implements DirectoryServer {
  readonly identityKey: Signer;
  readonly logKey: Signer;
  readonly serverKeySha256: Uint8Array;
  records: Uint8Array[] = [];
  /** Records that the checkpoint covers, where they are others than `records`. */
  signed: Uint8Array[] | undefined;
  behind = false;
  /** Replaces parts of every checkpoint. */
  tamper: Partial<{ note: Uint8Array; logKey: Uint8Array; logKeyProof: Uint8Array }> = {};
  /** Records in one page. */
  pageRecords = 500;
  /** Called before every answer. */
  onAsked: (body: RequestBody) => void = () => {};
  /** Pages come without a checkpoint. */
  signsNothing = false;
  /** It says that its store was altered. */
  altered = false;
  /** Takes back what it is handed. */
  takesBack = true;

  private constructor(identityKey: Signer, logKey: Signer, serverKeySha256: Uint8Array) {
    this.identityKey = identityKey;
    this.logKey = logKey;
    this.serverKeySha256 = serverKeySha256;
  }

  static async start(): Promise<FakeDirectory> {
    const identityKey = await newSigner();
    const hash = await sha256(identityKey.publicKey);
    return new FakeDirectory(identityKey, await newSigner(), hash);
  }

  get serverKey(): Uint8Array {
    return this.identityKey.publicKey;
  }

  get origin(): string {
    return checkpointOrigin(this.serverKeySha256);
  }

  /** The signed head of these records. */
  async head(records = this.signed ?? this.records): Promise<Checkpoint> {
    const directory = new Directory();
    for (const record of records) await directory.apply(record);
    return await signCheckpoint(await directory.head(), this.origin, this.logKey);
  }

  async checkpoint() {
    return create(SignedCheckpointSchema, {
      note: await checkpointNote(await this.head(), this.origin, this.logKey.publicKey),
      logKey: this.logKey.publicKey,
      logKeyProof: await signLogKey(this.logKey.publicKey, this.identityKey),
      behind: this.behind,
      ...this.tamper,
    });
  }

  request: DirectoryServer["request"] = async (body) => {
    this.onAsked(body);
    return (await this.#answer(body)) as never;
  };

  async #answer(body: RequestBody): Promise<unknown> {
    if (body.case === "readDirectory") {
      const from = Number(body.value.from);
      const records = this.records.slice(
        from,
        from + Math.min(body.value.limit || 500, this.pageRecords),
      );
      return create(DirectoryPageSchema, {
        from: BigInt(from),
        records,
        size: BigInt(this.records.length),
        altered: this.altered,
        ...(this.signsNothing ? {} : { checkpoint: await this.checkpoint() }),
      });
    }
    if (body.case === "handBackRecords") return await this.#takeBack(body.value);
    throw new SottoError(ErrorCode.UNKNOWN_REQUEST, "that is not the directory's");
  }

  async #takeBack(value: { note?: Uint8Array; from?: bigint; records?: Uint8Array[] }) {
    const { note = new Uint8Array(), from = 0n, records = [] } = value;
    const signed = await openCheckpoint(note, this.origin, this.logKey.publicKey);
    if (!signed) throw new SottoError(ErrorCode.BAD_SIGNATURE, "that note is not this server's");
    if (this.takesBack) {
      for (const [at, record] of records.entries())
        if (Number(from) + at === this.records.length) this.records.push(record);
      if (this.records.length >= signed.size) this.behind = false;
      else this.behind = true;
    }
    return create(HandedBackSchema, { next: BigInt(this.records.length) });
  }
}
