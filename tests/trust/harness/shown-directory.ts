import { create } from "@bufbuild/protobuf";
import {
  checkpointNote,
  checkpointOrigin,
  Directory,
  parseRecord,
  sha256,
  sha256Hex,
  signCheckpoint,
  signLogKey,
} from "@sotto/identity";
import type { ServerKeys } from "@sotto/keyserver";
import {
  DirectoryPageSchema,
  HelloSchema,
  limits,
  type SignedCheckpoint,
  SignedCheckpointSchema,
  toSafeNumber,
} from "@sotto/protocol";
import type { Tampering } from "./wire.ts";

/**
 * A directory that the server shows to its victims in place of the real one, signed with its real keys. Records need
 * not keep to any rule.
 */
export class ShownDirectory {
  readonly #keys: ServerKeys;
  readonly #records: Uint8Array[] = [];
  #directory = new Directory();

  private constructor(keys: ServerKeys) {
    this.#keys = keys;
  }

  static async of(keys: ServerKeys, records: readonly Uint8Array[]): Promise<ShownDirectory> {
    const shown = new ShownDirectory(keys);
    for (const bytes of records) await shown.add(bytes);
    return shown;
  }

  get size(): number {
    return this.#records.length;
  }

  /** Shows one record more, whatever it says. */
  async add(bytes: Uint8Array): Promise<void> {
    const checked = { parsed: parseRecord(bytes), hash: await sha256Hex(bytes), index: this.size };
    await this.#directory.take(checked);
    this.#records.push(bytes);
  }

  async checkpoint(): Promise<SignedCheckpoint> {
    const { identityKey, logKey } = this.#keys;
    const origin = checkpointOrigin(await sha256(identityKey.publicKey));
    const signed = await signCheckpoint(await this.#directory.head(), origin, logKey);
    return create(SignedCheckpointSchema, {
      note: await checkpointNote(signed, origin, logKey.publicKey),
      logKey: logKey.publicKey,
      logKeyProof: await signLogKey(logKey.publicKey, identityKey),
    });
  }

  /** Lets victims see this directory and no other. */
  tampering(): Tampering {
    return {
      hello: (hello) => create(HelloSchema, { ...hello, directorySize: BigInt(this.size) }),
      event: (event) => (event.body.case === "directoryGrew" ? [] : undefined),
      request: (body) => {
        if (body.case === "readDirectory")
          return { answer: this.#page(toSafeNumber(body.value.from), body.value.limit) };
        if (body.case === "getCheckpoint")
          return {
            answer: this.checkpoint().then((value) => ({ case: "signedCheckpoint", value })),
          };
        // It knows well what it hides.
        if (body.case === "handBackRecords") return "lost";
        return undefined;
      },
      response: (body) =>
        body.case === "authenticated"
          ? { case: body.case, value: { ...body.value, directorySize: BigInt(this.size) } }
          : undefined,
    };
  }

  async #page(from: number, limit: number) {
    const records = this.#records.slice(
      from,
      from + (limit === 0 ? limits.directoryPageRecordsMax : limit),
    );
    const value = create(DirectoryPageSchema, {
      from: BigInt(from),
      records,
      size: BigInt(this.size),
      checkpoint: await this.checkpoint(),
    });
    return { case: "directoryPage" as const, value };
  }
}
