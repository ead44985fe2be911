/**
 * Fields of Protobuf messages written by hand, for the few messages that are written for every chat
 * message. Field numbers are below 16, so that a tag is one byte; what has its default value is left
 * out, as proto3 wants it. Sizes are asked for first, then the fields are written into one buffer.
 */

const varint = 0;
const lengthDelimited = 2;
const uint64Max = 2n ** 64n - 1n;

/** A value of a uint64 field: a number where that is exact, which is nearly always and much faster. */
export type Uint64 = number | bigint;

/** A uint64 for the functions below. Throws `RangeError` for what 64 bits do not hold. */
export function uint64(value: bigint): Uint64 {
  const number = Number(value);
  if (number >= 0 && number <= Number.MAX_SAFE_INTEGER) return number;
  if (value < 0n || value > uint64Max) throw new RangeError(`${value} is no uint64`);
  return value;
}

function varintSize(value: Uint64): number {
  let size = 1;
  if (typeof value === "bigint") {
    for (let rest = value; rest >= 0x80n; rest >>= 7n) size++;
    return size;
  }
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

function writeVarint(target: Uint8Array, at: number, value: Uint64): number {
  let end = at;
  let rest = value;
  for (; typeof rest === "bigint" && rest >= 0x80n; rest >>= 7n) {
    target[end++] = Number(rest & 0x7fn) | 0x80;
  }
  rest = Number(rest);
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) target[end++] = (rest % 0x80) | 0x80;
  target[end++] = rest;
  return end;
}

/** Bytes of a `bytes` field. */
export function bytesFieldSize(value: Uint8Array): number {
  return value.length === 0 ? 0 : messageFieldSize(value.length);
}

/** Bytes of a whole-number field: uint32, uint64, enum, bool. */
export function numberFieldSize(value: Uint64): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

/** Bytes of a message field whose content has `length` bytes. Unlike the others it is there when empty. */
export function messageFieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

/** Writes a `bytes` field at `at`; answers where the next one goes. */
export function writeBytesField(
  target: Uint8Array,
  at: number,
  field: number,
  value: Uint8Array,
): number {
  if (value.length === 0) return at;
  const start = beginMessageField(target, at, field, value.length);
  target.set(value, start);
  return start + value.length;
}

/** Writes a whole-number field at `at`; answers where the next one goes. */
export function writeNumberField(
  target: Uint8Array,
  at: number,
  field: number,
  value: Uint64,
): number {
  if (value === 0) return at;
  target[at] = (field << 3) | varint;
  return writeVarint(target, at + 1, value);
}

/** Writes a message field's tag and length; its content of `length` bytes goes where the answer says. */
export function beginMessageField(
  target: Uint8Array,
  at: number,
  field: number,
  length: number,
): number {
  target[at] = (field << 3) | lengthDelimited;
  return writeVarint(target, at + 1, length);
}

/** A varint of up to 28 bits at `at`; `undefined` where it is longer or cut off: somebody else reads those. */
function shortVarint(source: Uint8Array, at: number): { value: number; next: number } | undefined {
  let value = 0;
  for (let shift = 0, next = at; shift < 28; shift += 7) {
    const byte = source[next++];
    if (byte === undefined) return undefined;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return { value, next };
  }
  return undefined;
}

/**
 * Reads the fields of a message that is written as protobuf-es writes it: ascending, each once, none but
 * these. Of any other message `done` is false in the end, and what was read counts for nothing.
 */
export class FieldReader {
  readonly #source: Uint8Array;
  #at = 0;
  #isGood = true;

  constructor(source: Uint8Array) {
    this.#source = source;
  }

  /** A `bytes` field, as a view; empty where it is not there. */
  bytes(field: number): Uint8Array {
    if (this.#source[this.#at] !== ((field << 3) | lengthDelimited))
      return this.#source.subarray(0, 0);
    const length = shortVarint(this.#source, this.#at + 1);
    const next = length ? length.next + length.value : Number.POSITIVE_INFINITY;
    if (!length || next > this.#source.length) {
      this.#isGood = false;
      return this.#source.subarray(0, 0);
    }
    this.#at = next;
    return this.#source.subarray(length.next, next);
  }

  /** A whole-number field below 2^28; 0 where it is not there. */
  number(field: number): number {
    if (this.#source[this.#at] !== ((field << 3) | varint)) return 0;
    const read = shortVarint(this.#source, this.#at + 1);
    if (!read) {
      this.#isGood = false;
      return 0;
    }
    this.#at = read.next;
    return read.value;
  }

  /** True where everything was read, and nothing else is there. */
  get done(): boolean {
    return this.#isGood && this.#at === this.#source.length;
  }
}
