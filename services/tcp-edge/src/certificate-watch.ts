import { createSecureContext } from "node:tls";
import type { Clock, Timer } from "@sotto/clock";
import { type Certificate, type CertificateSource, loadCertificate } from "./certificate.ts";
import type { ServerVoucher } from "./server-voucher.ts";

export interface CertificateWatchOptions {
  readonly clock: Clock;
  readonly source: CertificateSource;
  readonly current: Certificate;
  readonly voucher: Pick<ServerVoucher, "vouchFor">;
  readonly periodMs: number;
  /** The keyserver has vouched for it: connections from now on may be shown it. */
  readonly changed: (certificate: Certificate) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Looks from time to time whether the certificate became another one: files that were replaced, or a self-signed one
 * that is about to expire. Files are read and compared, since they may be replaced behind a link or a mount, of
 * which no file system event tells. What cannot be used leaves the present one in place.
 */
export class CertificateWatch implements AsyncDisposable {
  readonly #options: CertificateWatchOptions;
  readonly #timer: Timer;
  #current: Certificate;
  #looking: Promise<void> | undefined;
  /** The last failure, so that it is told once. */
  #told = "";

  constructor(options: CertificateWatchOptions) {
    this.#options = options;
    this.#current = options.current;
    this.#timer = options.clock.every(options.periodMs, () => {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer.cancel();
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { source, clock, voucher, changed, failed } = this.#options;
    try {
      const found = await loadCertificate(source, clock.now());
      if (found.certificate === this.#current.certificate && found.key === this.#current.key)
        return;
      // What the TLS library does not take is found out before anybody vouches for it.
      createSecureContext({ key: found.key, cert: found.certificate, minVersion: "TLSv1.3" });
      await voucher.vouchFor(found.spkiSha256);
      changed(found);
      this.#current = found;
      this.#told = "";
    } catch (error) {
      if (String(error) === this.#told) return;
      this.#told = String(error);
      failed(error);
    }
  }
}
