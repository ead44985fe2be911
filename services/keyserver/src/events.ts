import type { Logger, Metrics } from "@sotto/chassis";
import type { RecordError } from "@sotto/identity";
import { errorName, SottoError } from "@sotto/protocol";
import type { Lack } from "./transparency/standing.ts";

/** Values that are asked for when the metrics are read. */
export interface KeyserverGauges {
  directorySize(): number;
  ready(): boolean;
  /** The directory takes no new records, because it lacks some. */
  behind(): boolean;
  /** The store was seen to hold other bytes than it took. */
  altered(): boolean;
}

/** Every metric and log line of the keyserver. No names, keys or records. */
export class KeyserverEvents {
  readonly #logger: Logger;
  readonly #commands;
  readonly #refused;
  readonly #records;
  readonly #commits;
  readonly #claimed;

  constructor(logger: Logger, metrics: Metrics, gauges: KeyserverGauges) {
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
    metrics.gaugeOf(
      { name: "directory_behind", help: "1 while records are lacking that were signed." },
      () => (gauges.behind() ? 1 : 0),
    );
    metrics.gaugeOf(
      { name: "directory_altered", help: "1 once the store held other bytes than it took." },
      () => (gauges.altered() ? 1 : 0),
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

  /** The store held a record at the start that breaks the rules. */
  damaged(damage: RecordError): void {
    this.#logger.error(
      `the key directory is damaged: ${damage.message}. It is shown as it stands, so that everybody can see it, and takes no new records: restore it from a backup`,
      { err: damage },
    );
  }

  /** The store was seen to hold other bytes than it took; `index`: of the record, where it is known. */
  altered(index: number | undefined): void {
    const what = index === undefined ? "" : `: record ${index} is not the one that it took`;
    this.#logger.error(
      `the key directory was altered behind the server's back${what}. It is shown as it stands, clients are sent back to look at it, and it takes no new records: find out who had the store, and restore it from a backup (sotto-admin status)`,
      index === undefined ? {} : { index },
    );
  }

  /** The store lacks records that this server has signed; or nothing any more. */
  lackChanged(lack: Lack | undefined, records: number): void {
    if (!lack)
      this.#logger.info("the directory holds all that this server has signed", { records });
    else if (lack.kind === "restored")
      this.#logger.warn(
        "the data was restored from a backup: read-only until the file restored says what stood before, or is taken away",
        { records },
      );
    else
      this.#logger.error("the directory lacks records: read-only until clients hand them back", {
        records,
        signed: lack.signed,
      });
  }

  /** Clients gave records back, and they stand again. */
  tookBack(from: number, records: number): void {
    this.#logger.info("records that were lost stand again", { from, records });
  }

  /** Clients hold records that this server signed, and the store has others: nobody can mend that here. */
  parted(size: number): void {
    this.#logger.error(
      "the directory is another one than this server has signed: restore it from a newer backup",
      { size },
    );
  }

  keyPackageClaimed(lastResort: boolean): void {
    this.#claimed.add(1, { kind: lastResort ? "last-resort" : "one-time" });
  }

  failed(error: unknown): void {
    const cause = error instanceof Error ? error : new Error(String(error));
    this.#logger.error("a call failed", { err: cause });
  }
}
