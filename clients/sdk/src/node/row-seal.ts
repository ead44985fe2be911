import { createHmac, createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import { SottoClientError } from "../errors.ts";
import type { StoreEntry, StoreTable } from "../ports/profile-store.ts";
import { checkKey, groupParts, keyForms, orderParts } from "../ports/table-keys.ts";
import { XaesGcm } from "./xaes-gcm.ts";

const placeBytes = 16;
const keyLengthBytes = 2;
const checkBytes = 16;
/** Hidden names that are remembered: a message's is looked for, and stored in the same batch. */
const hiddenMax = 2048;

/** Where a row stands in the database: numbers in the clear, with or without a hidden name, or that alone. */
export type RowPlace = string | Uint8Array;

/**
 * Seals the rows of a profile under one data key. A value is bound to format, table and place, so no row
 * passes for another. Names in keys are stored as HMACs, and stand inside the sealed value.
 */
export class RowSeal {
  readonly #values: XaesGcm;
  readonly #places: KeyObject;
  readonly #hiddenNames = new Map<string, Buffer>();
  /** What associated data begin with, by their beginning. */
  readonly #prefixes = new Map<string, Buffer>();
  /** Tells which key a database is sealed with, and nothing about it. */
  readonly check: Buffer;

  /** `dataKey` stays the caller's. */
  constructor(dataKey: Uint8Array) {
    const values = derived(dataKey, "values");
    const places = derived(dataKey, "places");
    this.#values = new XaesGcm(values);
    this.#places = createSecretKey(places);
    this.check = derived(dataKey, "check").subarray(0, checkBytes);
    values.fill(0);
    places.fill(0);
  }

  /** Throws `RangeError` where `key` is none of the table. */
  place(table: StoreTable, key: string): RowPlace {
    checkKey(table, key);
    if (keyForms[table] === "orders") {
      const { numbers, name } = orderParts(key);
      return name === "" ? key : `${numbers}.${this.#hidden(table, key).toString("hex")}`;
    }
    const grouped = keyForms[table] === "groups" ? groupParts(key) : undefined;
    if (grouped) return `${this.group(table, grouped.group)}${grouped.number}`;
    return this.#hidden(table, key);
  }

  /** What the places of a group begin with. */
  group(table: StoreTable, name: string): string {
    return `${this.#hidden(table, `${name}#`).toString("hex")}#`;
  }

  seal(table: StoreTable, key: string, place: RowPlace, value: Uint8Array): Uint8Array {
    if (place === key) return this.#values.seal(value, this.#associated(table, place));
    const name = Buffer.from(key, "utf8");
    const plain = Buffer.alloc(keyLengthBytes + name.length + value.length);
    plain.writeUInt16BE(name.length);
    plain.set(name, keyLengthBytes);
    plain.set(value, keyLengthBytes + name.length);
    try {
      return this.#values.seal(plain, this.#associated(table, place));
    } finally {
      plain.fill(0);
    }
  }

  /** Throws PROFILE_BROKEN where the row is not what was stored at its place. */
  open(table: StoreTable, place: RowPlace, sealed: Uint8Array): StoreEntry {
    const plain = this.#values.open(sealed, this.#associated(table, place));
    if (!plain) {
      throw new SottoClientError(
        "PROFILE_BROKEN",
        `a row of ${table} in profile.db was altered, or sealed with another key`,
      );
    }
    if (isWhole(place)) return { key: place, value: bytesOf(plain) };
    const end = keyLengthBytes + plain.readUInt16BE();
    return {
      key: plain.subarray(keyLengthBytes, end).toString("utf8"),
      value: bytesOf(plain.subarray(end)),
    };
  }

  #hidden(table: StoreTable, name: string): Buffer {
    const whole = `${table}\0${name}`;
    const known = this.#hiddenNames.get(whole);
    if (known) return known;
    const hidden = createHmac("sha256", this.#places)
      .update(whole)
      .digest()
      .subarray(0, placeBytes);
    if (this.#hiddenNames.size >= hiddenMax) this.#hiddenNames.clear();
    this.#hiddenNames.set(whole, hidden);
    return hidden;
  }

  /** A text and the bytes of an HMAC cannot be taken for each other: a kind stands before them. */
  #associated(table: StoreTable, place: RowPlace): Buffer {
    const beginning = `sotto-profile-v2\0${table}\0${typeof place === "string" ? "n" : "h"}`;
    let prefix = this.#prefixes.get(beginning);
    if (!prefix) {
      prefix = Buffer.from(beginning);
      this.#prefixes.set(beginning, prefix);
    }
    const associated = Buffer.allocUnsafe(prefix.length + place.length);
    associated.set(prefix);
    // Places are of ASCII alone.
    if (typeof place === "string") associated.write(place, prefix.length, "latin1");
    else associated.set(place, prefix.length);
    return associated;
  }
}

/** True where the place is the key itself: then the sealed value does not repeat it. */
function isWhole(place: RowPlace): place is string {
  return typeof place === "string" && /^\d+$/.test(place);
}

/** The bytes of a buffer of its own, without Node's methods. */
function bytesOf(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

function derived(dataKey: Uint8Array, use: string): Buffer {
  return Buffer.from(hkdfSync("sha256", dataKey, "", `sotto-profile-${use}-v2`, 32));
}
