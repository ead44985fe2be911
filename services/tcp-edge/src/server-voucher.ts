import type { Clock, Timer } from "@sotto/clock";
import { type CertificateProof, toSafeNumber } from "@sotto/protocol";
import type { ServiceCalls } from "./service-calls.ts";

export interface ServerVoucherOptions {
  readonly clock: Clock;
  readonly calls: Pick<ServiceCalls, "certify">;
  readonly spkiSha256: Uint8Array;
  readonly failed: (error: unknown) => void;
}

const retryMs = 2000;
/** A proof is renewed when less than this share of its life is left. */
const renewShare = 1 / 3;
const renewPeriodMaxMs = 24 * 3600 * 1000;

/**
 * The server identity's word that this edge's certificate key is the server's: asked for at the
 * start, and again before it expires.
 */
export class ServerVoucher implements Disposable {
  readonly #options: ServerVoucherOptions;
  #serverKey: Uint8Array | undefined;
  #proof: CertificateProof | undefined;
  #timer: Timer | undefined;
  #disposed = false;

  private constructor(options: ServerVoucherOptions) {
    this.#options = options;
  }

  /** Resolves when the keyserver vouched, however often it takes; rejects when the signal aborts. */
  static async start(options: ServerVoucherOptions, signal?: AbortSignal): Promise<ServerVoucher> {
    const voucher = new ServerVoucher(options);
    for (;;) {
      try {
        await voucher.#certify();
        return voucher;
      } catch (error) {
        options.failed(error);
        await options.clock.sleep(retryMs, signal);
      }
    }
  }

  /** The server's identity key, which invites pin. */
  get serverKey(): Uint8Array {
    if (!this.#serverKey) throw new Error("nobody vouched yet");
    return this.#serverKey;
  }

  get proof(): CertificateProof {
    if (!this.#proof) throw new Error("nobody vouched yet");
    return this.#proof;
  }

  /** True while the proof is valid by this machine's clock. */
  get holds(): boolean {
    return toSafeNumber(this.proof.notAfterMs) > this.#options.clock.now();
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#timer?.cancel();
  }

  async #certify(): Promise<void> {
    const { calls, spkiSha256, clock } = this.#options;
    const { serverKey, proof } = await calls.certify(spkiSha256);
    if (!proof || serverKey.length !== 32) throw new Error("the keyserver vouched for nothing");
    this.#serverKey = serverKey;
    this.#proof = proof;
    const lifeMs = toSafeNumber(proof.notAfterMs) - toSafeNumber(proof.notBeforeMs);
    const leftMs = toSafeNumber(proof.notAfterMs) - clock.now();
    this.#renewAfter(Math.max(retryMs, leftMs - lifeMs * renewShare));
  }

  #renewAfter(delayMs: number): void {
    if (this.#disposed) return;
    this.#timer = this.#options.clock.after(Math.min(delayMs, renewPeriodMaxMs), () => {
      this.#certify().catch((error: unknown) => {
        this.#options.failed(error);
        this.#renewAfter(retryMs);
      });
    });
  }
}
