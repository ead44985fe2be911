/**
 * A program cannot start for a reason that the person who started it can mend (a taken port, an
 * unwritable folder). `message` is one clear line; `runService` shows it without a stack.
 */
export class StartError extends Error {
  override readonly name: string = "StartError";
  readonly code: string = "CANNOT_START";
}
