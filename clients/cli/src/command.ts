import { callAgent } from "./agent/agent-client.ts";
import { type CliConfig, type ConfigFlags, readConfig } from "./config.ts";
import { CommandError } from "./exit-code.ts";
import { Output } from "./output.ts";
import { Passphrases } from "./passphrase.ts";
import { printableJson, printableName } from "./printable.ts";

/** How often a person may mistype. */
const askedMax = 3;

/** What every command has: where its profile is, where its output goes, and the profile's agent. */
export class CommandContext {
  readonly config: CliConfig;
  readonly output: Output;

  readonly passphrases: Passphrases;

  constructor(flags: ConfigFlags & { json?: boolean }) {
    this.config = readConfig(flags);
    this.passphrases = new Passphrases(this.config);
    this.output = new Output({ json: flags.json === true, colour: this.config.colour });
  }

  /**
   * Calls the agent and answers what it says as the shape that the method documents. Where the profile is
   * locked it is unlocked first.
   */
  async call<Result>(
    method: string,
    params: Readonly<Record<string, unknown>> = {},
    options: { onItem?: (item: never) => void; signal?: AbortSignal } = {},
  ): Promise<Result> {
    const onItem = (options.onItem ?? this.#notice) as (item: unknown) => void;
    const call = () =>
      callAgent(this.config.home, method, params, {
        onItem,
        ...(options.signal ? { signal: options.signal } : {}),
      });
    try {
      return (await call()) as Result;
    } catch (error) {
      if (!(error instanceof CommandError) || error.code !== "LOCKED") throw error;
      await this.unlock();
      return (await call()) as Result;
    }
  }

  /** A command as a person types it here, the profile included where one was named. */
  hint(command: string): string {
    return `${this.config.called} ${command}`;
  }

  /** What is told beside the result. */
  readonly #notice = (item: { readonly type?: string; readonly text?: unknown }): void => {
    if (item.type !== "notice") return;
    this.output.note(
      this.output.json ? printableJson(item) : this.output.dim(printableName(item.text)),
    );
  };

  /** Gives the agent the passphrase of the profile. Rejects with LOCKED or WRONG_PASSPHRASE. */
  async unlock(): Promise<void> {
    for (let asked = 1; ; asked++) {
      using secret = await this.passphrases.current();
      try {
        await callAgent(this.config.home, "unlock", { passphrase: secret.encoded() });
        return;
      } catch (error) {
        const mistyped = error instanceof CommandError && error.code === "WRONG_PASSPHRASE";
        if (!mistyped || this.passphrases.given || asked === askedMax) throw error;
        this.output.note("That is not the passphrase.");
      }
    }
  }

  /** Before a profile is made: protects it with a passphrase, where `wanted` or where a script says one. */
  async protect(wanted: boolean): Promise<void> {
    if (!wanted && !this.passphrases.given) return;
    using secret = await this.passphrases.first();
    await callAgent(this.config.home, "protect", { passphrase: secret.encoded() });
  }
}
