import type { LogRecord } from "./log.ts";

/** Live records that wait for their consumer. Over its bounds it drops them all and says so. */
export class LiveInbox {
  readonly #recordsMax: number;
  readonly #bytesMax: number;
  #records: LogRecord[] = [];
  #bytes = 0;
  #overflowed = false;
  #isAwake = false;
  #wake: (() => void) | undefined;

  constructor(recordsMax: number, bytesMax: number) {
    this.#recordsMax = recordsMax;
    this.#bytesMax = bytesMax;
  }

  push(record: LogRecord): void {
    if (this.#records.length >= this.#recordsMax || this.#bytes >= this.#bytesMax) {
      this.#overflowed = true;
      this.#records = [];
      this.#bytes = 0;
    }
    // After an overflow everything is read again; what comes until then need not be kept.
    if (!this.#overflowed) {
      this.#records.push(record);
      this.#bytes += record.data.length;
    }
    this.wake();
  }

  take(): { readonly records: readonly LogRecord[]; readonly overflowed: boolean } {
    const taken = { records: this.#records, overflowed: this.#overflowed };
    this.#records = [];
    this.#bytes = 0;
    this.#overflowed = false;
    return taken;
  }

  wake(): void {
    this.#isAwake = true;
    this.#wake?.();
  }

  /** Resolves after the next `push` or `wake`, or at once after one that nobody waited for. */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#isAwake) {
      await new Promise<void>((resolve, reject) => {
        const stop = () => reject(signal.reason);
        signal.addEventListener("abort", stop, { once: true });
        this.#wake = () => {
          signal.removeEventListener("abort", stop);
          resolve();
        };
      });
    }
    this.#wake = undefined;
    this.#isAwake = false;
  }
}
