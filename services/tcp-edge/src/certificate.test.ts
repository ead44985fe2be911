import { mkdtemp, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { CertificateError, loadCertificate } from "./certificate.ts";
import { selfSigned } from "./self-signed.ts";

const nowMs = 1_800_000_000_000;
const folderOf = () => mkdtemp(join(tmpdir(), "edge-certificate-"));

it("makes a key once, keeps it for its owner alone, and finds it again", async () => {
  const folder = join(await folderOf(), "new");
  const first = await loadCertificate({ kind: "folder", folder }, nowMs);
  const again = await loadCertificate({ kind: "folder", folder }, nowMs);
  expect(again).toEqual(first);
  expect((await stat(join(folder, "edge-key.pem"))).mode & 0o777).toBe(0o600);
});

it("makes a new certificate for the same key when the old one has expired", async () => {
  const folder = await folderOf();
  const first = await loadCertificate({ kind: "folder", folder }, nowMs);
  const later = await loadCertificate({ kind: "folder", folder }, nowMs + 500 * 24 * 3600 * 1000);
  expect(later.certificate).not.toBe(first.certificate);
  expect(later.spkiSha256).toEqual(first.spkiSha256);
});

it("takes configured files, and refuses a key of another certificate by name", async () => {
  const folder = await folderOf();
  const [mine, other] = [await selfSigned(nowMs), await selfSigned(nowMs)];
  const keyFile = join(folder, "key.pem");
  const certificateFile = join(folder, "certificate.pem");
  await writeFile(keyFile, mine.key);
  await writeFile(certificateFile, mine.certificate);
  const source = { kind: "files", keyFile, certificateFile } as const;
  expect((await loadCertificate(source, nowMs)).certificate).toBe(
    await readFile(certificateFile, "utf8"),
  );
  await writeFile(keyFile, other.key);
  await expect(loadCertificate(source, nowMs)).rejects.toThrow(CertificateError);
  await writeFile(keyFile, "nothing");
  await expect(loadCertificate(source, nowMs)).rejects.toThrow(/not PEM/);
  const missing = { ...source, keyFile: join(folder, "missing.pem") };
  await expect(loadCertificate(missing, nowMs)).rejects.toThrow(/missing\.pem/);
});
