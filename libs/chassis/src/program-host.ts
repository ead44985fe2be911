/** What `runService` needs of the process that it runs in. */
export interface ProgramHost {
  /** Calls back on every occurrence until the returned function is called. */
  on(event: ProgramEvent, listener: (reason: unknown) => void): () => void;
  /** The exit code of a process that ends because nothing is left to do. */
  setExitCode(code: number): void;
  exit(code: number): void;
  /** Writes a line for the person who started the program. */
  complain(line: string): void;
}

export type ProgramEvent = "SIGTERM" | "SIGINT" | "uncaughtException" | "unhandledRejection";

/** The real process. */
export const processHost: ProgramHost = {
  on(event, listener) {
    process.on(event, listener);
    return () => void process.removeListener(event, listener);
  },
  setExitCode(code) {
    process.exitCode = code;
  },
  exit: (code) => process.exit(code),
  complain: (line) => void process.stderr.write(`${line}\n`),
};
