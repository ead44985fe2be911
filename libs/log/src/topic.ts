import type { Incarnation, Position, Sequence, SubjectKind, Topic } from "./log.ts";

/** Checks a topic from outside: lower-case hex, 8 to 64 characters. Throws `RangeError`. */
export function parseTopic(text: string): Topic {
  if (!/^[0-9a-f]{8,64}$/.test(text)) throw new RangeError("a topic is 8 to 64 digits of hex");
  return text as Topic;
}

/** Checks a sequence from outside: a positive safe integer. Throws `RangeError`. */
export function parseSequence(value: number): Sequence {
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError("not a sequence");
  return value as Sequence;
}

/** Checks an incarnation from outside: 32 digits of lower-case hex. Throws `RangeError`. */
export function parseIncarnation(text: string): Incarnation {
  if (!/^[0-9a-f]{32}$/.test(text)) throw new RangeError("an incarnation is 32 digits of hex");
  return text as Incarnation;
}

/** Checks an idempotency key from outside: 1 to 64 digits of lower-case hex. Throws `RangeError`. */
export function parseKey(text: string): string {
  if (!/^[0-9a-f]{1,64}$/.test(text)) throw new RangeError("a key is 1 to 64 digits of hex");
  return text;
}

/** Checks a subject's kind from outside. Throws `RangeError`. */
export function parseKind(text: string): SubjectKind {
  if (text !== "h" && text !== "m") throw new RangeError("a kind is h or m");
  return text;
}

export function positionOf(incarnation: Incarnation, sequence: number): Position {
  return { incarnation, sequence: parseSequence(sequence) };
}
