import type { Clock, Timer } from "@sotto/clock";
import type { ConfirmResponse } from "@sotto/interservice";
import type { ServiceCalls } from "../service-calls.ts";

export interface ConfirmationOptions {
  readonly clock: Clock;
  readonly calls: Pick<ServiceCalls, "confirm">;
  readonly periodMs: number;
  /** Without an answer for this long, nothing is confirmed any more. */
  readonly validMs: number;
  /** An answer came. It confirms nothing before this resolved; where it rejects, the same is asked again. */
  readonly answered: (response: ConfirmResponse) => Promise<void>;
  /** Delivery must stop now. */
  readonly lost: () => void;
  readonly regained: () => void;
}

/**
 * Asks the keyserver every `periodMs` what changed. The bus only hastens what this makes certain:
 * an edge that cannot confirm rosters and revocations may not deliver, because a lost hint must
 * not keep a removed member listening.
 */
export class Confirmation implements Disposable {
  readonly #options: ConfirmationOptions;
  #incarnation: Uint8Array = new Uint8Array();
  #cursor = 0n;
  #directorySize = 0n;
  #confirmedMs: number | undefined;
  #lost = true;
  #asking = false;
  #stopped = false;
  readonly #ticker: Timer;

  constructor(options: ConfirmationOptions) {
    this.#options = options;
    this.#ticker = options.clock.every(options.periodMs, () => void this.ask());
  }

  /** True while what this edge knows was confirmed recently. Checked by time, not by a timer's luck. */
  get holds(): boolean {
    const { clock, validMs } = this.#options;
    return this.#confirmedMs !== undefined && clock.monotonic() - this.#confirmedMs < validMs;
  }

  /** Size of the directory as confirmed last. */
  get directorySize(): bigint {
    return this.#directorySize;
  }

  /** Asks now, unless a question is under way. Never rejects. */
  async ask(): Promise<void> {
    if (this.#asking || this.#stopped) return this.#judge();
    this.#asking = true;
    const askedMs = this.#options.clock.monotonic();
    try {
      const response = await this.#options.calls.confirm({
        incarnation: this.#incarnation,
        cursor: this.#cursor,
        directorySize: this.#directorySize,
      });
      if (this.#stopped) return;
      await this.#options.answered(response);
      this.#incarnation = response.incarnation;
      this.#cursor = response.cursor;
      this.#confirmedMs = askedMs;
      this.#directorySize = response.directorySize;
    } catch {
      // No answer is an answer too: `holds` becomes false in time.
    } finally {
      this.#asking = false;
    }
    this.#judge();
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#ticker.cancel();
  }

  #judge(): void {
    if (this.#stopped || this.holds === !this.#lost) return;
    this.#lost = !this.#lost;
    if (this.#lost) this.#options.lost();
    else this.#options.regained();
  }
}
