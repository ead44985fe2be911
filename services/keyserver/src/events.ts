import type { Logger, Metrics } from "@sotto/chassis";
import { errorName, SottoError } from "@sotto/protocol";

/** Every metric and log line of the keyserver. No names, keys or records. */
export class KeyserverEvents {
  readonly #logger: Logger;
  readonly #commands;
  readonly #refused;
  readonly #records;
  readonly #commits;
  readonly #claimed;

  constructor(
    logger: Logger,
    metrics: Metrics,
    gauges: { directorySize(): number; ready(): boolean },
  ) {
    this.#logger = logger;
    this.#commands = metrics.counter({
      name: "commands_total",
      help: "Requests of clients, by kind.",
      labels: ["command"],
    });
    this.#refused = metrics.counter({
      name: "refusals_total",
      help: "Requests that were refused.",
      labels: ["code"],
    });
    this.#records = metrics.counter({ name: "records_total", help: "Identity records accepted." });
    this.#commits = metrics.counter({ name: "commits_total", help: "Handshake records accepted." });
    this.#claimed = metrics.counter({
      name: "key_packages_claimed_total",
      help: "KeyPackages handed out.",
      labels: ["kind"],
    });
    metrics.gaugeOf({ name: "directory_records", help: "Records in the key directory." }, () =>
      gauges.directorySize(),
    );
    metrics.gaugeOf({ name: "ready", help: "1 while logins and changes are answered." }, () =>
      gauges.ready() ? 1 : 0,
    );
  }

  command(name: string): void {
    this.#commands.add(1, { command: name });
  }

  /** Counts a refusal; what is none is a failure, which is told elsewhere. */
  refused(error: unknown): void {
    if (error instanceof SottoError) this.#refused.add(1, { code: errorName(error.code) });
  }

  recordAccepted(index: number): void {
    this.#records.add(1);
    this.#logger.info("an identity record was accepted", { index });
  }

  commitAccepted(): void {
    this.#commits.add(1);
  }

  /** The operator switched an account off or on. */
  accountSwitched(off: boolean): void {
    this.#logger.info("the operator switched an account", { off });
  }

  keyPackageClaimed(lastResort: boolean): void {
    this.#claimed.add(1, { kind: lastResort ? "last-resort" : "one-time" });
  }

  failed(error: unknown): void {
    const cause = error instanceof Error ? error : new Error(String(error));
    this.#logger.error("a call failed", { err: cause });
  }
}
