import { createHash, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { access, mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { TlsIdentity } from "./listener/listener.ts";
import { selfSigned } from "./self-signed.ts";

/** Where an edge's TLS key and certificate come from. */
export type CertificateSource =
  /** PEM files that somebody else keeps, such as an ACME client. */
  | { readonly kind: "files"; readonly keyFile: string; readonly certificateFile: string }
  /**
   * `privkey.pem` and `fullchain.pem` of `given` while they are there; else self-signed, made at the first start and
   * kept in `folder`. Clients pin the server's identity, not this.
   */
  | { readonly kind: "folder"; readonly folder: string; readonly given?: string };

/** A TLS identity, and what the server's identity key has to vouch for. */
export interface Certificate extends TlsIdentity {
  /** SHA-256 of the SubjectPublicKeyInfo. */
  readonly spkiSha256: Uint8Array;
  readonly expiresAtMs: number;
}

/** Thrown where a key or certificate cannot be used; the message says which and why. */
export class CertificateError extends Error {
  override readonly name = "CertificateError";
}

const keyName = "edge-key.pem";
const certificateName = "edge-certificate.pem";
const givenNames = { key: "privkey.pem", certificate: "fullchain.pem" } as const;
/** A self-signed certificate is made anew when it expires within this time. */
const renewBeforeMs = 30 * 24 * 3600 * 1000;

/** Reads the configured certificate, or makes and keeps one. Rejects with `CertificateError`. */
export async function loadCertificate(
  source: CertificateSource,
  nowMs: number,
): Promise<Certificate> {
  if (source.kind === "files") {
    return check({
      key: await read(source.keyFile),
      certificate: await read(source.certificateFile),
    });
  }
  const given = source.given === undefined ? undefined : await givenIn(source.given);
  if (given) return check(given);
  const keyFile = join(source.folder, keyName);
  const certificateFile = join(source.folder, certificateName);
  const kept = await keptIn(keyFile, certificateFile);
  if (kept && check(kept).expiresAtMs > nowMs + renewBeforeMs) return check(kept);
  const made = await selfSigned(nowMs, kept?.key);
  await mkdir(source.folder, { recursive: true, mode: 0o700 });
  await write(keyFile, made.key);
  await write(certificateFile, made.certificate);
  return check(made);
}

/** The pair that somebody else keeps; undefined where neither file is there. */
async function givenIn(folder: string): Promise<TlsIdentity | undefined> {
  const keyFile = join(folder, givenNames.key);
  const certificateFile = join(folder, givenNames.certificate);
  const isThere = (file: string) =>
    access(file).then(
      () => true,
      () => false,
    );
  if (!(await isThere(keyFile)) && !(await isThere(certificateFile))) return undefined;
  return { key: await read(keyFile), certificate: await read(certificateFile) };
}

async function keptIn(keyFile: string, certificateFile: string): Promise<TlsIdentity | undefined> {
  try {
    return {
      key: await readFile(keyFile, "utf8"),
      certificate: await readFile(certificateFile, "utf8"),
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new CertificateError(`the TLS key cannot be read from ${dirname(keyFile)}`, {
      cause: error,
    });
  }
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new CertificateError(`cannot read ${file}`, { cause: error });
  }
}

/** Whole or not at all, and for this user alone. */
async function write(file: string, text: string): Promise<void> {
  const handle = await open(`${file}.new`, "w", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
}

function check(identity: TlsIdentity): Certificate {
  let certificate: X509Certificate;
  let key: KeyObject;
  try {
    certificate = new X509Certificate(identity.certificate);
    key = createPrivateKey(identity.key);
  } catch (error) {
    throw new CertificateError("the TLS key or certificate is not PEM", { cause: error });
  }
  if (!certificate.checkPrivateKey(key)) {
    throw new CertificateError("the TLS key does not belong to the certificate");
  }
  const spki = certificate.publicKey.export({ type: "spki", format: "der" });
  return {
    ...identity,
    spkiSha256: createHash("sha256").update(spki).digest(),
    expiresAtMs: certificate.validToDate.getTime(),
  };
}
