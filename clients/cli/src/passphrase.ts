import { openSync, readSync } from "node:fs";
import type { CliConfig } from "./config.ts";
import { CommandError, ExitCode } from "./exit-code.ts";
import { askHidden } from "./hidden-prompt.ts";

const fileBytesMax = 4096;

/** Passphrase bytes for as long as they are needed; disposing overwrites them. */
export interface Secret extends Disposable {
  /** As it travels to the agent, over a socket that only its owner opens. */
  encoded(): string;
}

/** Where the passphrase of a profile comes from: a file, the environment, or the terminal. */
export class Passphrases {
  readonly #config: CliConfig;

  constructor(config: CliConfig) {
    this.#config = config;
  }

  /** True where a script says it. */
  get given(): boolean {
    return this.#config.passphraseFile !== undefined || this.#config.passphrase !== undefined;
  }

  /** The passphrase of the profile. Rejects with LOCKED where nobody says it. */
  async current(): Promise<Secret> {
    const { passphrase, passphraseFile } = this.#config;
    return await this.#from(passphraseFile, passphrase, "Passphrase of this profile: ", false);
  }

  /** A passphrase to be set, where there is none; asked for twice. */
  async first(): Promise<Secret> {
    const { passphrase, passphraseFile } = this.#config;
    return await this.#from(passphraseFile, passphrase, "New passphrase: ", true);
  }

  /** The passphrase that takes the place of another; asked for twice. */
  async next(): Promise<Secret> {
    const { newPassphrase, newPassphraseFile } = this.#config;
    return await this.#from(newPassphraseFile, newPassphrase, "New passphrase: ", true);
  }

  async #from(
    file: string | undefined,
    text: string | undefined,
    question: string,
    twice: boolean,
  ): Promise<Secret> {
    if (file !== undefined) return secretOf(readPassphraseFile(file));
    if (text !== undefined) return secretOf(Buffer.from(text));
    const typed = this.#config.terminal ? await askHidden(question) : undefined;
    if (!typed) throw noPassphrase();
    if (twice) await this.#again(typed);
    return secretOf(typed);
  }

  async #again(typed: Buffer): Promise<void> {
    const again = await askHidden("The same again: ");
    const same = again?.equals(typed) === true;
    again?.fill(0);
    if (same) return;
    typed.fill(0);
    throw new CommandError(ExitCode.refused, "BAD_PASSPHRASE", "the two are not the same");
  }
}

function noPassphrase(): CommandError {
  return new CommandError(
    ExitCode.refused,
    "LOCKED",
    "a passphrase is needed: run this in a terminal, or give --passphrase-file <file> or SOTTO_PASSPHRASE; sotto unlock opens the profile for other commands",
  );
}

function secretOf(bytes: Buffer): Secret {
  return {
    encoded: () => bytes.toString("base64"),
    [Symbol.dispose]: () => {
      bytes.fill(0);
    },
  };
}

/** The bytes of a file up to the end of its first line. */
function readPassphraseFile(path: string): Buffer {
  const bytes = Buffer.alloc(fileBytesMax);
  try {
    const length = readSync(openSync(path, "r"), bytes);
    const end = bytes.subarray(0, length).findIndex((byte) => byte === 0x0a || byte === 0x0d);
    return Buffer.from(bytes.subarray(0, end < 0 ? length : end));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new CommandError(ExitCode.refused, "FILE", `${path} cannot be read (${code})`);
  } finally {
    bytes.fill(0);
  }
}
