import type { Clock, Timer } from "@sotto/clock";
import { type CertificateProof, toHex, toSafeNumber } from "@sotto/protocol";
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

interface Vouched {
  readonly spkiSha256: Uint8Array;
  readonly proof: CertificateProof;
}

/**
 * The server identity's word that this edge's certificate key is the server's: asked for at the
 * start, again before it expires, and for another key before its certificate is shown to anybody.
 */
export class ServerVoucher implements Disposable {
  readonly #options: ServerVoucherOptions;
  #serverKey: Uint8Array | undefined;
  #current: Vouched | undefined;
  /** Connections whose handshake began with the certificate before still have to be greeted. */
  #before: Vouched | undefined;
  #timer: Timer | undefined;
  /** One at a time: a renewal that ends late must not take the place of a newer key. */
  #vouching: Promise<void> = Promise.resolve();
  #disposed = false;

  private constructor(options: ServerVoucherOptions) {
    this.#options = options;
  }

  /** Resolves when the keyserver vouched, however often it takes; rejects when the signal aborts. */
  static async start(options: ServerVoucherOptions, signal?: AbortSignal): Promise<ServerVoucher> {
    const voucher = new ServerVoucher(options);
    for (;;) {
      try {
        await voucher.vouchFor(options.spkiSha256);
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

  /** The word for a key: the present one, or the one before. */
  proofOf(spkiSha256: Uint8Array): CertificateProof {
    const key = toHex(spkiSha256);
    const vouched = [this.#current, this.#before].find(
      (one) => one && toHex(one.spkiSha256) === key,
    );
    if (!vouched) throw new Error("nobody vouched for this certificate key");
    return vouched.proof;
  }

  /** True while the present proof is valid by this machine's clock. */
  get holds(): boolean {
    return toSafeNumber(this.#current?.proof.notAfterMs ?? 0n) > this.#options.clock.now();
  }

  /** Has the keyserver vouch for a key, which is the present one from then on. Rejects as the call does. */
  vouchFor(spkiSha256: Uint8Array): Promise<void> {
    const vouching = this.#vouching.then(() => this.#vouchFor(spkiSha256));
    this.#vouching = vouching.catch(() => {});
    return vouching;
  }

  async #vouchFor(spkiSha256: Uint8Array): Promise<void> {
    const { calls, clock } = this.#options;
    const { serverKey, proof } = await calls.certify(spkiSha256);
    if (!proof || serverKey.length !== 32) throw new Error("the keyserver vouched for nothing");
    this.#serverKey = serverKey;
    if (this.#current && toHex(this.#current.spkiSha256) !== toHex(spkiSha256))
      this.#before = this.#current;
    this.#current = { spkiSha256, proof };
    const lifeMs = toSafeNumber(proof.notAfterMs) - toSafeNumber(proof.notBeforeMs);
    const leftMs = toSafeNumber(proof.notAfterMs) - clock.now();
    this.#renewAfter(Math.max(retryMs, leftMs - lifeMs * renewShare));
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#timer?.cancel();
  }

  #renewAfter(delayMs: number): void {
    this.#timer?.cancel();
    if (this.#disposed) return;
    this.#timer = this.#options.clock.after(Math.min(delayMs, renewPeriodMaxMs), () => {
      const spkiSha256 = this.#current?.spkiSha256 ?? this.#options.spkiSha256;
      this.vouchFor(spkiSha256).catch((error: unknown) => {
        this.#options.failed(error);
        this.#renewAfter(retryMs);
      });
    });
  }
}
