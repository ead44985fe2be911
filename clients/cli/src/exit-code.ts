/** Exit codes are a contract with scripts. */
export const ExitCode = { done: 0, refused: 1, usage: 2, notReachable: 3 } as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** An error that ends a command, with what a person needs to read and the code for the shell. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: ExitCode;
  /** Machine-readable: `STALE`, `INVITE_USED`, `NOT_REACHABLE`, … */
  readonly code: string;
  constructor(exitCode: ExitCode, code: string, message: string) {
    super(message);
    this.exitCode = exitCode;
    this.code = code;
  }
}
