import { createHash } from "node:crypto";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** What the environment says; nothing else reads it. */
export interface CliConfig {
  /** Folder of the profile. */
  readonly home: string;
  /** How this command was called, with the profile that was named: what hints begin with. */
  readonly called: string;
  /** Colours and progress bars: only where a person looks. */
  readonly terminal: boolean;
  readonly colour: boolean;
  /** How the first person of a server seals: what SOTTO_SUITE says. */
  readonly suite: string | undefined;
  /** The profile's passphrase, and the one that shall take its place. Files go first. */
  readonly passphrase: string | undefined;
  readonly passphraseFile: string | undefined;
  readonly newPassphrase: string | undefined;
  readonly newPassphraseFile: string | undefined;
}

/** Flags of the command line that say where things are. */
export interface ConfigFlags {
  readonly home?: string;
  readonly passphraseFile?: string;
  readonly newPassphraseFile?: string;
}

export function readConfig(flags: ConfigFlags): CliConfig {
  const home = flags.home ?? process.env.SOTTO_HOME ?? join(homedir(), ".sotto");
  const terminal = process.stderr.isTTY === true;
  return {
    home: resolve(home),
    called: called(flags.home),
    terminal,
    colour: process.stdout.isTTY === true && process.env.NO_COLOR === undefined,
    suite: process.env.SOTTO_SUITE,
    passphrase: process.env.SOTTO_PASSPHRASE,
    passphraseFile: flags.passphraseFile,
    newPassphrase: process.env.SOTTO_NEW_PASSPHRASE,
    newPassphraseFile: flags.newPassphraseFile,
  };
}

/** Where a person can say `sotto` alone, nothing says how it was called. */
function called(home: string | undefined): string {
  const program = process.env.SOTTO_CALLED_AS || "sotto";
  const quoted = home && /[^\w@%+=:,./-]/.test(home) ? `'${home.replaceAll("'", "'\\''")}'` : home;
  return quoted ? `${program} --home ${quoted}` : program;
}

/** A Unix socket's path may not be longer than this on Linux and macOS. */
const socketPathBytesMax = 100;

/** Where the profile's agent listens. Long paths get a short name in the temporary folder. */
export function agentSocketPath(home: string): string {
  const path = join(home, "agent.sock");
  if (Buffer.byteLength(path) <= socketPathBytesMax) return path;
  const digest = createHash("sha256").update(home).digest("hex").slice(0, 24);
  return join(tmpdir(), `sotto-${process.getuid?.() ?? 0}-${digest}`, "agent.sock");
}

/** The environment of a process that outlives the command: without passphrases. */
export function agentEnvironment(): NodeJS.ProcessEnv {
  const { SOTTO_PASSPHRASE: _, SOTTO_NEW_PASSPHRASE: __, ...rest } = process.env;
  return rest;
}

/** Where programs are looked for. */
export function searchPath(): string {
  return process.env.PATH ?? "";
}
