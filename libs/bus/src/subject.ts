import { BusError, type BusErrorCode } from "./bus.ts";

const token = "[A-Za-z0-9_-]+";
const publishPattern = new RegExp(`^${token}(?:\\.${token})*$`);
const subscribePattern = new RegExp(`^(?:${token}|\\*)(?:\\.(?:${token}|\\*))*(?:\\.>)?$`);
const subjectCharactersMax = 256;

/** Thrown for a subject that no bus accepts: a fault of the caller. */
export class SubjectError extends TypeError {
  override readonly name = "SubjectError";
}

/** Checks a subject to publish to. */
export function checkSubject(subject: string): void {
  if (subject.length > subjectCharactersMax || !publishPattern.test(subject)) {
    throw new SubjectError(`not a subject: ${subject.slice(0, 64)}`);
  }
}

/** Checks a subject to subscribe to, which may hold wildcards. */
export function checkPattern(subject: string): void {
  if (subject.length > subjectCharactersMax || !subscribePattern.test(subject)) {
    throw new SubjectError(`not a subscription subject: ${subject.slice(0, 64)}`);
  }
}

/** True where a published subject fits a subscription's. */
export function matches(pattern: readonly string[], subject: readonly string[]): boolean {
  for (const [i, part] of pattern.entries()) {
    if (part === ">") return subject.length > i;
    if (i >= subject.length || (part !== "*" && part !== subject[i])) return false;
  }
  return pattern.length === subject.length;
}

/** The error of a message that is too large, checked before it is sent. */
export function checkSize(data: Uint8Array, bytesMax: number): void {
  const code: BusErrorCode = "TOO_LARGE";
  if (data.length > bytesMax)
    throw new BusError(code, `${data.length} bytes; a message has at most ${bytesMax}`);
}
