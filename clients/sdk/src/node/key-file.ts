import { createHash, randomBytes, scrypt } from "node:crypto";
import { join } from "node:path";
import { SottoClientError } from "../errors.ts";
import { readSmallFile, replaceSecretFile } from "./durable-file.ts";
import { XaesGcm } from "./xaes-gcm.ts";

/** Passphrases are bytes as they were typed; a thief guesses short ones. */
export const passphraseBytesMin = 8;
export const passphraseBytesMax = 1024;

const formatVersion = 1;
const fileBytesMax = 4096;
const dataKeyBytes = 32;
const saltBytes = 16;

/** Cost of scrypt (RFC 7914) for new files: 128 MiB and a good half second a guess. */
const cost = { n: 2 ** 17, r: 8, p: 1 } as const;
/** A file that asks for more is not believed: it would only stop this machine. */
const costMax = { n: 2 ** 20, r: 8, p: 4 } as const;

interface Cost {
  readonly n: number;
  readonly r: number;
  readonly p: number;
}

/** The data keys of a profile, the newest last: two where a change of key was under way. */
export type DataKeys = readonly [Buffer] | readonly [Buffer, Buffer];

/** What `profile.key` holds. */
export type KeyFile =
  | { readonly kind: "open"; readonly keys: DataKeys }
  | {
      readonly kind: "passphrase";
      readonly cost: Cost;
      readonly salt: Buffer;
      readonly wrapped: Buffer;
    };

export function keyFilePath(folder: string): string {
  return join(folder, "profile.key");
}

/** The key file of a profile, `undefined` where there is none. Throws PROFILE_BROKEN. */
export function readKeyFile(folder: string): KeyFile | undefined {
  const path = keyFilePath(folder);
  let bytes: Buffer | undefined;
  try {
    bytes = readSmallFile(path, fileBytesMax);
    return bytes && parse(bytes);
  } catch (cause) {
    if (cause instanceof SottoClientError) throw cause;
    throw new SottoClientError("PROFILE_BROKEN", `${path} cannot be read`, { cause });
  } finally {
    bytes?.fill(0);
  }
}

/** Stores data keys in the clear, for a profile that asks nothing; durable when it returns. */
export function writeOpenKeys(folder: string, keys: DataKeys): void {
  const joined = Buffer.concat(keys);
  write(folder, { kind: "open", keys: joined.toString("base64") });
  joined.fill(0);
}

/** A passphrase stretched by scrypt: wraps data keys, and opens them again. */
export class Wrapping {
  readonly #cipher: XaesGcm;
  readonly #cost: Cost;
  readonly #salt: Buffer;

  private constructor(key: Buffer, cost: Cost, salt: Buffer) {
    this.#cipher = new XaesGcm(key);
    this.#cost = cost;
    this.#salt = salt;
  }

  /** For a new passphrase. */
  static async make(passphrase: Uint8Array): Promise<Wrapping> {
    return await Wrapping.#stretch(passphrase, cost, randomBytes(saltBytes));
  }

  /** For the passphrase of a file. */
  static async of(
    passphrase: Uint8Array,
    file: KeyFile & { kind: "passphrase" },
  ): Promise<Wrapping> {
    return await Wrapping.#stretch(passphrase, file.cost, file.salt);
  }

  static async #stretch(passphrase: Uint8Array, cost: Cost, salt: Buffer): Promise<Wrapping> {
    const { n, r, p } = cost;
    const key = await new Promise<Buffer>((resolve, reject) =>
      scrypt(passphrase, salt, 32, { N: n, r, p, maxmem: 256 * n * r }, (error, made) =>
        error ? reject(error) : resolve(made),
      ),
    );
    try {
      return new Wrapping(key, cost, salt);
    } finally {
      key.fill(0);
    }
  }

  /** The data keys, `undefined` where the passphrase is another. */
  open(file: KeyFile & { kind: "passphrase" }): DataKeys | undefined {
    const keys = this.#cipher.open(file.wrapped, associated(file.cost, file.salt));
    return keys && splitKeys(keys);
  }

  /** Stores data keys wrapped; durable when it returns. */
  write(folder: string, keys: DataKeys): void {
    const joined = Buffer.concat(keys);
    const sealed = this.#cipher.seal(joined, associated(this.#cost, this.#salt));
    joined.fill(0);
    write(folder, {
      kind: "passphrase",
      kdf: "scrypt",
      ...this.#cost,
      salt: this.#salt.toString("base64"),
      wrapped: Buffer.from(sealed).toString("base64"),
    });
  }
}

function write(folder: string, content: Readonly<Record<string, unknown>>): void {
  const bytes = Buffer.from(`${JSON.stringify({ version: formatVersion, ...content })}\n`);
  replaceSecretFile(keyFilePath(folder), bytes);
  bytes.fill(0);
}

function parse(bytes: Buffer): KeyFile {
  const json = JSON.parse(bytes.toString("utf8"));
  if (typeof json.version === "number" && json.version > formatVersion) {
    throw new SottoClientError(
      "PROFILE_BROKEN",
      "profile.key was written by a newer Sotto; update this client",
    );
  }
  if (json.version !== formatVersion) throw new Error("not a key file");
  if (json.kind === "open") return { kind: "open", keys: splitKeys(base64(json.keys)) };
  if (json.kind !== "passphrase" || json.kdf !== "scrypt")
    throw new Error("an unknown kind of key");
  const salt = base64(json.salt);
  if (salt.length !== saltBytes) throw new Error("a salt of another length");
  return {
    kind: "passphrase",
    cost: {
      n: powerOfTwo(within(json.n, costMax.n)),
      r: within(json.r, costMax.r),
      p: within(json.p, costMax.p),
    },
    salt,
    wrapped: base64(json.wrapped),
  };
}

function within(value: unknown, max: number): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1 && value <= max)
    return value;
  throw new Error("the cost of scrypt is out of bounds");
}

function powerOfTwo(value: number): number {
  if (value > 1 && Number.isInteger(Math.log2(value))) return value;
  throw new Error("the cost of scrypt is no power of two");
}

function base64(value: unknown): Buffer {
  if (typeof value !== "string") throw new Error("a value is missing");
  return Buffer.from(value, "base64");
}

function splitKeys(joined: Buffer): DataKeys {
  if (joined.length === dataKeyBytes) return [joined];
  if (joined.length !== 2 * dataKeyBytes) throw new Error("keys of another length");
  return [joined.subarray(0, dataKeyBytes), joined.subarray(dataKeyBytes)];
}

/** Binds what is wrapped to the cost and salt that it was wrapped with. */
function associated({ n, r, p }: Cost, salt: Buffer): Buffer {
  const text = `sotto-profile-key-v1\0${n}/${r}/${p}\0`;
  return createHash("sha256").update(text).update(salt).digest();
}
